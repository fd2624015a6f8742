"""Signals end a command in good order, with the status that shells and schedulers expect."""

import os
import signal
import time
from pathlib import Path

import pytest

from dlcheck.runs.folder import read_object
from tests.crash.killing import SLOWEST_S, ended, readable, start
from tests.crash.test_kills_train import BASE

SCRIPT = """
import torch
torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(10**9):
    x = torch.randn(16, 4)
    loss = ((model(x) - x.sum(1, keepdim=True)) ** 2).mean()
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    if step == 20:
        open("begun", "w").close()
"""


def signalled(arguments: list[str], place: Path, sign: Path, number: int) -> int:
    """Return the status of a command that is sent a signal once a file is there."""
    process = start(arguments, place)
    until = time.monotonic() + SLOWEST_S
    while time.monotonic() < until and not (sign.exists() and (sign.suffix != ".csv" or sign.stat().st_size > 150)):
        time.sleep(0.02)
    os.kill(process, number)
    return ended(process)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signalled_training_says_how_to_go_on_and_does(number: int, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(BASE.replace("epochs = 8", "epochs = 1000"), encoding="utf-8")
    command = ["train", "r.toml", "--quiet", "--device", "cpu", "--run-dir", "run"]
    assert signalled(command, tmp_path, tmp_path / "run" / "steps.csv", number) == 128 + number
    assert "next: dlcheck train --resume run" in (tmp_path / "output.txt").read_text(encoding="utf-8")
    assert read_object(tmp_path / "run" / "facts.json")["stopped"] == "interrupted"
    assert readable(tmp_path / "run")


@pytest.mark.slow
def test_a_watched_script_that_a_scheduler_ends_is_diagnosed(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    command = ["watch", "--run-dir", "run", "script.py"]
    assert signalled(command, tmp_path, tmp_path / "begun", signal.SIGTERM) == 143
    assert "run folder: run" in (tmp_path / "output.txt").read_text(encoding="utf-8")
    assert "Traceback" not in (tmp_path / "output.txt").read_text(encoding="utf-8")
    assert readable(tmp_path / "run")
