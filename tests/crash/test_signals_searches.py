"""Signals end a search, a treatment, a profile or an exam in good order, and leave no process behind."""

import os
import signal
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.tuning.trials import StudyView, read_study
from tests.crash.killing import SLOWEST_S, ended, left_behind, readable, start, whole
from tests.treatment.test_treat import SLOW

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc"),
]
SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
SMALL = f"{SLOW}threads = 1\n"
SEARCH = """
[tune.confirm]
top = 0
[search]
"optimizer.lr" = { log = [1e-3, 1e-1] }
"""


def signalled(arguments: list[str], place: Path, begun: Callable[[], bool], number: int) -> tuple[int, str]:
    """Send a command a signal once it has begun; return its status and its words, and check that it ends soon."""
    process = start(arguments, place)
    until = time.monotonic() + SLOWEST_S
    while time.monotonic() < until and not begun():
        time.sleep(0.02)
    os.kill(process, number)
    sent = time.monotonic()
    status = ended(process, 60)
    assert not left_behind(process)
    words = (place / "output.txt").read_text(encoding="utf-8")
    assert "Traceback" not in words
    print(f"{arguments[0]}: ended {time.monotonic() - sent:.1f} s after signal {number}")
    return status, words


def study(place: Path) -> StudyView | None:
    try:
        return read_study(place / "study")
    except DlcheckError:
        return None  # not made yet


def ended_well(place: Path) -> dict[int, object]:
    found = study(place)
    return {} if found is None else {row.number: row for row in found.trials if row.usable}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("options", [[], ["--workers", "2"], ["--workers", "2", "--deterministic"]])
def test_a_signalled_search_keeps_every_trial_and_goes_on(options: list[str], number: int, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(SMALL + SEARCH, encoding="utf-8")
    command = ["tune", "r.toml", "--quiet", "--device", "cpu", "--trials", "12", "--study-dir", "study", *options]
    status, words = signalled(command, tmp_path, lambda: len(ended_well(tmp_path)) >= 2, number)
    assert status == 128 + number, words
    assert "interrupted; " in words
    assert "the same command goes on" in words
    before = ended_well(tmp_path)
    found = study(tmp_path)
    assert found is not None
    assert [row for row in found.trials if row.state == "RUNNING"] == [] or not options
    assert whole(command, tmp_path)[0] in (0, 1)
    after = study(tmp_path)
    assert after is not None
    assert sum(row.counts for row in after.trials) == 12
    assert {key: ended_well(tmp_path)[key] for key in before} == before


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("place", ["exam", "first", "later"])
def test_a_signalled_treatment_goes_on_in_its_folder(place: str, number: int, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(SMALL.replace("epochs = 8", "epochs = 40"), encoding="utf-8")
    command = ["treat", "r.toml", "--yes", "--device", "cpu", "--run-dir", "treated"]
    runs = tmp_path / "treated" / "runs"

    def begun() -> bool:
        made = list(runs.glob("*/metrics.csv"))
        wanted = {"exam": 0, "first": 1, "later": 3}[place]
        return len(made) >= wanted and (tmp_path / "output.txt").exists() and "exam" in output()

    def output() -> str:
        return (tmp_path / "output.txt").read_text(encoding="utf-8")

    status, words = signalled(command, tmp_path, begun, number)
    assert status == 128 + number, words
    assert (tmp_path / "treated").exists() == ("the same command with --run-dir treated" in words)
    for run in runs.glob("*"):
        assert readable(run)
    kept = {run: (run / "facts.json").read_bytes() for run in runs.glob("*") if (run / "report.html").exists()}
    assert whole(command, tmp_path)[0] in (0, 1)
    whole_ones = {run: facts for run, facts in kept.items() if b'"finished": true' in facts}
    assert {run: (run / "facts.json").read_bytes() for run in whole_ones} == whole_ones
    assert (tmp_path / "treated" / "cured.toml").exists()
    assert (tmp_path / "r.toml").read_text() == SMALL.replace("epochs = 8", "epochs = 40")


COMMANDS = {
    "profile-gpu": ["profile-gpu", "r.toml", "--device", "cpu", "--write", "--budget", "40", "--run-dir", "run"],
    "check": ["check", "r.toml", "--device", "cpu"],
    "lr-find": ["lr-find", "r.toml", "--device", "cpu", "--write", "--csv", "curve.csv"],
    "diagnose": ["diagnose", "log.csv", "--follow"],
}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("wait_s", [0.3, 1.5, 6.0])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_signalled_look_ends_at_once_and_leaves_files_alone(
    name: str, wait_s: float, number: int, tmp_path: Path
) -> None:
    text = SMALL.replace('name = "blobs"', 'name = "digits"\nin_memory = false\nworkers = 2')
    text = text.replace("samples = 400\nnoise = 1.5\n", "")
    (tmp_path / "r.toml").write_text(text, encoding="utf-8")
    (tmp_path / "log.csv").write_text("epoch,train_loss\n1,0.5\n2,0.4\n", encoding="utf-8")
    began = time.monotonic()
    status, words = signalled(COMMANDS[name], tmp_path, lambda: time.monotonic() - began > wait_s, number)
    done = name not in ("profile-gpu", "diagnose") and status in (0, 1)
    assert done or status == 128 + number, words
    now = (tmp_path / "r.toml").read_text(encoding="utf-8")
    assert now == text or (tomllib.loads(now).keys() == tomllib.loads(text).keys() and text[:40] == now[:40])
    # The signal may come after the curve was written, but never leaves a part of it.
    curve = tmp_path / "curve.csv"
    assert not curve.exists() or curve.read_text(encoding="utf-8").endswith("\n")
    expected = {"log.csv", "output.txt", "r.toml", curve.name}
    assert done or {path.name for path in tmp_path.iterdir()} <= expected
