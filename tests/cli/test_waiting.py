"""What is told while something takes long: at once in a terminal, seldom in a pipe, never when quiet."""

import io
import sys

import pytest

from dlcheck.cli import waiting
from dlcheck.cli.waiting import Waiting


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "CI", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


def told(monkeypatch: pytest.MonkeyPatch, file: io.StringIO, *, quiet: bool = False, each: bool = False) -> str:
    monkeypatch.setattr(sys, "stderr", file)
    with Waiting(quiet=quiet, each=each) as wait:
        for number in range(3):
            wait.say(f"step {number} of \x1b[31m")
    return file.getvalue()


def test_a_terminal_has_a_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    text = told(monkeypatch, Terminal())
    assert "loading PyTorch and the data" in text
    assert "\x1b[?25h" in text, "the cursor is back"
    assert "\x1b[31m" not in text


@pytest.mark.parametrize("name", ["NO_COLOR", "CI", "TERM"])
def test_a_terminal_that_may_not_move_has_a_line_at_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "dumb")
    assert told(monkeypatch, Terminal()) == "loading PyTorch and the data\n"
    monkeypatch.setattr(waiting, "TERMINAL_S", 0.0)
    assert told(monkeypatch, Terminal()).splitlines()[1:] == [f"step {number} of \\x1b[31m" for number in range(3)]


def test_a_pipe_has_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, io.StringIO()) == ""
    monkeypatch.setattr(waiting, "PIPE_S", 0.0)
    assert len(told(monkeypatch, io.StringIO()).splitlines()) == 3


def test_a_pipe_has_a_line_for_each_where_each_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(told(monkeypatch, io.StringIO(), each=True).splitlines()) == 3


@pytest.mark.parametrize("file", [Terminal, io.StringIO])
def test_quiet_is_quiet(monkeypatch: pytest.MonkeyPatch, file: type[io.StringIO]) -> None:
    assert told(monkeypatch, file(), quiet=True, each=True) == ""
