"""What a real terminal gets: a word before anything heavy loads, colour, and none of it where plain is wanted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="no pseudo-terminals here")

LOG = "epoch,train_loss,val_loss\n" + "\n".join(f"{n},{2 / n:.3f},{2 / n + 0.1 * n:.3f}" for n in range(1, 21))
CALM = {"TERM": "xterm-256color", "COLUMNS": "72"}
DROPPED = ("NO_COLOR", "FORCE_COLOR", "CI", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


def in_terminal(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Return the exit status, and all that a terminal was sent."""
    ours, theirs = pty.openpty()
    known = {name: value for name, value in os.environ.items() if name not in DROPPED}
    process = subprocess.Popen(
        [sys.executable, "-m", "dlcheck", *arguments],
        cwd=folder,
        env=known | CALM | environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    sent = b""
    try:
        while part := os.read(ours, 65536):
            sent += part
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(ours)
    return process.wait(), sent.decode().replace("\r\n", "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "torch.py").write_text("raise SystemExit(7)\n")
    (tmp_path / "script.py").write_text("import torch\n")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "word", "term"),
    [
        ("train digits-mlp", "loading PyTorch and the data", "xterm-256color"),
        ("check digits-mlp", "loading PyTorch and the data", "xterm-256color"),
        ("lr-find digits-mlp", "loading PyTorch and the data", "xterm-256color"),
        ("tune digits-mlp", "loading PyTorch and the data", "xterm-256color"),
        ("profile-gpu digits-mlp", "loading PyTorch and the data", "xterm-256color"),
        ("treat digits-mlp --yes", "loading PyTorch and the data", "xterm-256color"),
        ("watch script.py", "watching script", "xterm-256color"),
        ("train digits-mlp", "loading PyTorch and the data", "dumb"),
        ("watch script.py", "watching script", "dumb"),
    ],
)
def test_a_word_comes_before_pytorch_loads(folder: Path, command: str, word: str, term: str) -> None:
    status, sent = in_terminal(folder, *command.split(), PYTHONPATH=str(folder), TERM=term)
    assert status != 0
    assert word in sent
    assert ("\x1b" in sent) is (term != "dumb")


@pytest.mark.parametrize("command", ["diagnose log.csv", "explain C409", "train --list", "--help"])
@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_where_plain_is_wanted_nothing_is_sent_but_text(folder: Path, command: str, plain: dict[str, str]) -> None:
    status, sent = in_terminal(folder, *command.split(), **plain)
    assert status == 0, sent
    assert "\x1b" not in sent
    assert "\r" not in sent
    assert max(map(len, sent.splitlines())) <= (80 if command == "--help" else 72)


def test_a_diagnosis_in_a_terminal_is_coloured_and_draws(folder: Path) -> None:
    status, sent = in_terminal(folder, "diagnose", "log.csv")
    assert status == 0, sent
    assert "\x1b[1;31msick: C409 overfit\x1b[0m" in sent
    assert "\x1b[1;33mC409 overfit\x1b[0m  warning, " in sent
    assert "epoch" in sent
    assert sent.rstrip().splitlines()[-1].startswith("\x1b[1mnext: ")


def test_a_pipe_gets_text_alone(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dlcheck", "diagnose", "log.csv"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in DROPPED} | CALM,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert done.stdout.splitlines()[1].startswith("sick: ")
