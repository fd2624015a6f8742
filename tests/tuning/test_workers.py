"""Several worker processes: whatever is killed, no finished trial is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from dlcheck.errors import DlcheckError
from dlcheck.tuning.storage import database_url, open_storage
from dlcheck.tuning.trials import Ending, StudyView, TrialRow, read_study
from tests.tuning.conftest import RATES, TINY

LONG = TINY.replace("epochs = 2", "epochs = 12") + "[tune.confirm]\ntop = 0\n" + RATES
pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")


def start(folder: Path, *options: str, text: str = LONG) -> subprocess.Popen[str]:
    recipe = folder / "long.toml"
    if not recipe.exists():
        recipe.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "dlcheck", "tune", str(recipe), "--study-dir", str(folder / "study")]
    return subprocess.Popen(
        [*command, "--device", "cpu", *options],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def children(process: subprocess.Popen[str]) -> list[int]:
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in path.read_text(encoding="utf-8").split()] if path.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except (OSError, IndexError):
        return False


def looked(folder: Path) -> StudyView | None:
    try:
        return read_study(folder / "study")
    except DlcheckError:
        return None  # not made yet


def until(folder: Path, what: Callable[[StudyView], bool], process: subprocess.Popen[str], limit: float = 300) -> float:
    """Wait until a study is as wanted, and return how long it took."""
    began = time.monotonic()
    while time.monotonic() - began < limit:
        view = looked(folder)
        if view is not None and what(view):
            return time.monotonic() - began
        if process.poll() is not None:
            raise AssertionError(f"ended with {process.returncode}: {process.communicate()[1]}")
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def finished(view: StudyView) -> dict[int, TrialRow]:
    return {row.number: row for row in view.trials if row.ending not in (None, Ending.lost, Ending.stopped)}


def more_than(count: int) -> Callable[[StudyView], bool]:
    return lambda view: len(finished(view)) > count


def running(view: StudyView) -> int:
    return sum(row.state == "RUNNING" and bool(row.raw) for row in view.trials)


@pytest.mark.slow
def test_killed_workers_and_a_killed_parent_lose_nothing(tmp_path: Path) -> None:
    process = start(tmp_path, "--trials", "9", "--workers", "2")
    until(tmp_path, lambda view: len(finished(view)) >= 1 and running(view) == 2, process)
    os.kill(children(process)[0], signal.SIGKILL)
    seen = until(tmp_path, lambda view: any(row.ending is Ending.lost for row in view.trials), process)
    until(tmp_path, lambda view: len(finished(view)) >= 3, process)
    workers = children(process)
    process.kill()
    process.communicate()
    limit = time.monotonic() + 10
    while any(alive(pid) for pid in workers) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not [pid for pid in workers if alive(pid)], "workers outlive their parent"
    before = finished(read_study(tmp_path / "study"))
    again = start(tmp_path, "--trials", "9", "--workers", "1")
    _, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    after = read_study(tmp_path / "study")
    assert {number: finished(after)[number] for number in before} == before
    assert sum(row.counts for row in after.trials) == 9
    lost = [row for row in after.trials if row.ending is Ending.lost]
    # The parent may have died while the trial that had been lost ran again: a second time it is not queued.
    assert len(finished(after)) + sum(not row.requeued for row in lost) == 9
    assert lost[0].requeued
    assert seen <= 2.0


@pytest.mark.slow
def test_an_interrupt_is_passed_on_and_everything_is_kept(tmp_path: Path) -> None:
    process = start(tmp_path, "--trials", "9", "--workers", "2")
    until(tmp_path, lambda view: len(finished(view)) >= 1 and running(view) == 2, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command goes on" in err
    view = read_study(tmp_path / "study")
    assert not [row for row in view.trials if row.state == "RUNNING"]
    waiting = [row for row in view.trials if row.state == "WAITING"]
    stopped = [row for row in view.trials if row.ending in (Ending.stopped, Ending.lost)]
    assert len(waiting) == len(stopped) >= 1


WRITER = """
import sys
import optuna
from dlcheck.tuning.storage import open_storage

optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="killed", storage=open_storage(sys.argv[1], create=False))


def objective(trial):
    value = trial.suggest_float("x", 0, 1)
    for step in range(5):
        trial.report(value, step)
    trial.set_user_attr("dlcheck.end", "ok")
    return value


def note(study, trial):
    with open(sys.argv[2], "a") as file:
        file.write(f"{trial.number} {trial.value!r}\\n")


study.optimize(objective, n_trials=100000, callbacks=[note])
"""


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_a_killed_writer_takes_no_finished_trial_with_it(tmp_path: Path, kills: int) -> None:
    url, told, chance = database_url(tmp_path), tmp_path / "told.txt", random.Random(1)
    optuna.create_study(storage=open_storage(url, create=True), study_name="killed")

    def write() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", WRITER, url, str(told)])

    writers = [write(), write()]
    for kill in range(kills):
        seen, place = len(lines(told)), kill % 2
        limit = time.monotonic() + 60
        while len(lines(told)) < seen + 3 and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.1))
        writers[place].kill()
        writers[place].wait()
        writers[place] = write()
    for writer in writers:
        writer.kill()
        writer.wait()
    rows = {row.number: row for row in read_study(tmp_path).trials}
    assert len(lines(told)) >= 3 * kills
    for line in lines(told):
        number, value = line.split()
        assert (rows[int(number)].state, rows[int(number)].told) == ("COMPLETE", float(value))


def lines(path: Path) -> list[str]:
    """Return whole lines: the last one may be torn by a kill."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [line for line in text[: text.rfind("\n") + 1].splitlines() if line.count(" ") == 1]


@pytest.mark.slow
def test_fifty_kills_lose_no_finished_trial(tmp_path: Path) -> None:
    chance, kills = random.Random(0), 0
    known: dict[int, TrialRow] = {}
    process = start(tmp_path, "--trials", "400", "--workers", "2")
    while kills < 50:
        until(tmp_path, more_than(len(known)), process)
        time.sleep(chance.uniform(0, 1.5))
        if kills % 10 == 9:
            process.kill()
            process.communicate()
            process = start(tmp_path, "--trials", "400", "--workers", "2")
        elif workers := children(process):
            os.kill(chance.choice(workers), signal.SIGKILL)
        kills += 1
        now = finished(read_study(tmp_path / "study"))
        assert {number: now[number] for number in known} == known
        known = now
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    now = finished(read_study(tmp_path / "study"))
    assert {number: now[number] for number in known} == known


@pytest.mark.slow
def test_eight_workers_start_cold(tmp_path: Path) -> None:
    process = start(tmp_path, "--trials", "24", "--workers", "8", text=TINY + RATES)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    rows = read_study(tmp_path / "study").trials
    assert [row.ending for row in rows].count(Ending.lost) == 0
    assert len(rows) == 24
    assert len({tuple(row.raw.values()) for row in rows}) == 24
