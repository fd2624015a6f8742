"""The look of the terminal: tables that fold, styles, ASCII, and when nothing but plain text is wanted."""

import io
import sys

import pytest
from rich.console import Console
from rich.text import Text

from dlcheck.report.exams import ExamRow, exam_table, time_line
from dlcheck.report.look import HEED, WIDEST, Column, console, dressed, last, pairs, show, table

COLUMNS = (Column("exam"), Column("n", right=True), Column("what was found"), Column("at", whole=True))
ROWS = [
    ("memory", "7", "a sentence that is far too long for so few columns", "a/long/path/train.py:12"),
    ("labels", "1,200", ("not looked at, and so the rest of the line says why that is", "dim")),
]


def plain(lines: object) -> list[str]:
    return [str(line) for line in lines]  # type: ignore[attr-defined]


def test_a_table_that_fits() -> None:
    assert plain(table(COLUMNS[:3], [("a", "1", "x"), ("bb", "22", "yy")], 40)) == [
        "exam   n  what was found",
        "a      1  x",
        "bb    22  yy",
    ]


def test_a_table_that_does_not_fit_is_folded_and_loses_nothing() -> None:
    assert plain(table(COLUMNS, ROWS, 62, indent=2)) == [
        "  exam        n  what was found        at",
        "  memory      7  a sentence that is    a/long/path/train.py:12",
        "                 far too long for so",
        "                 few columns",
        "  labels  1,200  not looked at, and so the rest of the line",
        "                 says why that is",
    ]


@pytest.mark.parametrize("width", [10, 30, 50, 80])
def test_no_width_loses_a_word(width: int) -> None:
    words = " ".join(plain(table(COLUMNS, ROWS, width))).split()
    for row in ROWS:
        for cell in row:
            text = "".join((cell if isinstance(cell, str) else cell[0]).split())
            assert set(text) <= set("".join(words))
    assert "a/long/path/train.py:12" in words


def test_what_folding_brings_to_the_beginning_is_no_command_of_a_workflow() -> None:
    folded = plain(table((Column("a"),), [("x" * 8 + "::set-output name=a::b",)], 8))
    assert not any(line.strip().startswith("::") for line in folded)


def test_wide_signs_keep_columns_aligned() -> None:
    _, wide, narrow = plain(table((Column("a"), Column("b")), [("数据", "x"), ("data", "y")], 40))
    assert (wide, narrow) == ("数据  x", "data  y")


def test_pairs_have_no_heads() -> None:
    assert plain(pairs([("rows", "300"), ("target", "2 classes")], 40)) == ["rows    300", "target  2 classes"]


def test_a_terminal_without_unicode_gets_ascii_with_the_same_styles() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    screen = Console(file=file, force_terminal=True, color_system="standard", legacy_windows=False)
    show([Text.assemble(("± 1", "bold red"), " → 2")], screen)
    file.flush()
    assert raw.getvalue() == b"\x1b[1;31m+/- 1\x1b[0m -> 2\n"


def test_the_last_line_is_what_to_do() -> None:
    where = ["run folder: a b", "accuracy 0.9"]
    assert plain(last(where, "next: nothing to mend", 40)) == [*where, "next: nothing to mend"]
    assert plain(last(["next: dlcheck train x", *where], "next: y", 40))[-1] == "next: dlcheck train x"


def test_a_plain_report_gets_the_same_look() -> None:
    text = (
        "name\nS602 within-noise  warning, 90% sure\nkey     one two three four\n   not checked, why: S601\nnext: go\n"
    )
    head, finding, pair, unchecked, following = dressed(text, 20)
    assert (head.style, following.style, unchecked.style) == ("bold", "bold", "dim")
    assert finding.spans[0].style == HEED
    assert str(finding)[: finding.spans[0].end] == "S602 within-noise"
    assert str(pair) == "key     one two\n        three four"


@pytest.mark.parametrize(
    ("environment", "coloured", "moving"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({"CI": "true"}, True, False),
        ({"CI": "false"}, True, True),
    ],
)
def test_colour_and_movement_are_for_a_terminal_that_wants_them(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], coloured: bool, moving: bool
) -> None:
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "CI", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm-256color", "COLUMNS": "200"} | environment).items():
        monkeypatch.setenv(name, value)
    file = Terminal()
    monkeypatch.setattr(sys, "stderr", file)
    screen = console(stderr=True)
    show(table((Column("a"),), [[("words", "bold red")]], WIDEST), screen)
    assert ("\x1b[" in file.getvalue()) is coloured
    assert screen.is_interactive is moving
    assert screen.width == 200


def test_a_pipe_that_colour_is_forced_into_does_not_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    screen = console()
    assert screen.is_terminal
    assert not screen.is_interactive


def test_exams_are_a_table_with_the_style_of_what_they_found_and_their_time() -> None:
    rows = [
        ExamRow("labels", "clean", ("D104",), number="0 to 9", expected="0 to 9", seconds=0.5),
        ExamRow("first loss", "found", ("M201",), ("M201",), "3.339", "2.303", seconds=2.25),
        ExamRow("dropout", "not checked", ("M215",), why="no dropout in any of the layers of this network"),
    ]
    lines = list(exam_table(rows, {"M201": "bold cyan"}, 46))
    assert plain(lines) == [
        "exam        result       number  expected",
        "labels      clean        0 to 9  0 to 9",
        "first loss  M201         3.339   2.303",
        "dropout     not checked  no dropout in any of",
        "                         the layers of this",
        "                         network",
    ]
    assert "bold cyan" in [span.style for span in lines[2].spans]
    assert time_line(rows) == "3 exams in 2.8 s; the longest: first loss, 2.2 s"
    assert time_line(rows[:1]) == "1 exam in 0.5 s"
