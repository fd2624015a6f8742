"""``dlcheck watch --live`` and ``--stop-on``: told while the script runs, and a hopeless run ended."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dlcheck.diagnosis.settings import Settings
from dlcheck.findings import Outcome
from dlcheck.report.report import Report
from dlcheck.runs import Run
from dlcheck.watching.live import SHARE, Live
from dlcheck.watching.observer import Observer
from dlcheck.watching.session import Session
from tests.cli.conftest import Command, Done

SCRIPT = """
import sys
import time
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
try:
    for step in range(250):
        {clear}
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        time.sleep(0.01)
except Exception:
    print("an exception of the doctor's", flush=True)
finally:
    print("step", step, file=sys.stderr, flush=True)
print("the end", flush=True)
"""
HEALTHY = SCRIPT.format(clear="optimizer.zero_grad()")
SICK = SCRIPT.format(clear="pass")


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """Put back what a watched script is given as its own."""
    argv, path, main = list(sys.argv), list(sys.path), sys.modules["__main__"]
    yield
    sys.argv[:], sys.path[:] = argv, path
    sys.modules["__main__"] = main
    torch.set_grad_enabled(True)


def watch(command: Command, text: str, *options: str) -> Done:
    """Watch a script by the command line."""
    Path("train.py").write_text(text, encoding="utf-8")
    return command("watch", "--run-dir", "run", *options, "train.py")


def steps_in(done: Done) -> int:
    """Return the last step that the script tells of."""
    return next(int(line.split()[1]) for line in done.stderr.splitlines() if line.startswith("step "))


def test_findings_are_told_while_the_script_runs(command: Command) -> None:
    done = watch(command, SICK, "--live")
    assert done.returncode == 1
    assert done.stdout == "the end\n"
    lines = done.stderr.splitlines()
    told = next(place for place, line in enumerate(lines) if "run: G306 gradients-not-zeroed (error" in line)
    ended = next(place for place, line in enumerate(lines) if line.startswith("step "))
    assert told < ended
    assert "train.py, line 17" in lines[told]
    assert "zero_grad" in lines[told + 1]
    assert sum("run: G306" in line for line in lines) == 1
    assert steps_in(done) == 249


def test_a_hopeless_run_is_ended_and_its_folder_can_be_read(command: Command) -> None:
    done = watch(command, SICK, "--stop-on", "error", "--quiet")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert steps_in(done) < 249
    assert json.loads(Path("run/facts.json").read_text(encoding="utf-8"))["finished"] is False
    (run,) = json.loads(command("diagnose", "run", "--format", "json").stdout)["runs"]
    assert (run["verdict"], run["findings"][0]["code"]) == ("sick", "G306")


def test_a_healthy_run_is_left_alone_and_nothing_is_told(command: Command) -> None:
    done = watch(command, HEALTHY, "--live", "--stop-on", "warning", "--quiet")
    assert (done.returncode, done.stdout, steps_in(done)) == (0, "the end\n", 249)
    assert not [line for line in done.stderr.splitlines() if "run: " in line]


def test_what_is_ignored_stops_nothing(command: Command) -> None:
    done = watch(command, SICK, "--stop-on", "error", "--ignore", "G306,C419", "--quiet")
    assert done.stdout == "the end\n"
    assert steps_in(done) == 249


@pytest.mark.parametrize("word", ["info", "never", ""])
def test_only_warnings_and_errors_can_end_a_script(command: Command, word: str) -> None:
    done = watch(command, SICK, "--stop-on", word)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not Path("run").exists()


class Clock:
    """Time that passes only where somebody works."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_what_a_first_look_imports_delays_no_later_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looks = Clock(), list[float]()

    def examine(*_: object) -> Report:
        looks.append(clock.now)
        clock.now += 3.0 if len(looks) == 1 else 1.0
        return Report("run", Run(), Outcome(()), "healthy")

    monkeypatch.setattr("dlcheck.diagnosis.examine", examine)
    monkeypatch.setattr("dlcheck.watching.live.time", clock)
    session = Session.create("train", Settings(), tmp_path / "run")
    observer = Observer(session.folder)
    look = Live(session)
    for _ in range(100):
        look(observer)
        clock.now += 0.5
    first, second, third, *rest = looks
    assert second == first + 3.5
    assert 1 + SHARE <= third - second <= 1 + SHARE + 0.5
    assert len(rest) == 1
