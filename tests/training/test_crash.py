"""What damages a checkpoint, a folder or a disk loses nothing of a run; signals and a second writer end in one line."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.runs.folder import read_events, read_object
from dlcheck.runs.hold import LOCK, Hold
from dlcheck.training.callbacks import Callback
from dlcheck.training.session import resume
from dlcheck.training.trainer import Trainer
from tests.training.conftest import RunTraining
from tests.training.test_resume import StopAfter, same
from tests.training.test_session import metrics


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "damage", [cut, pytest.param(flip, marks=pytest.mark.slow), pytest.param(empty, marks=pytest.mark.slow)]
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(run: RunTraining, damage: object) -> None:
    whole = run()
    broken = run(callbacks=[StopAfter(9)])
    assert callable(damage)
    damage(broken.folder / "checkpoints" / "last.pt")
    told: list[str] = []
    result = resume(broken.folder, tell=told.append)
    assert len(told) == 1
    assert "last.pt: cannot read" in told[0]
    assert "previous.pt, the one before, takes its place" in told[0]
    assert "\n" not in told[0]
    assert [event.kind for event in read_events(broken.folder / "events.jsonl")] == ["resume"]
    same(whole, result)


def test_two_damaged_checkpoints_are_named_and_nothing_is_touched(run: RunTraining) -> None:
    broken = run(callbacks=[StopAfter(9)])
    for name in ("last.pt", "previous.pt"):
        cut(broken.folder / "checkpoints" / name)
    before = (broken.folder / "metrics.csv").read_bytes()
    with pytest.raises(DlcheckError, match=r"last\.pt: cannot read .* previous\.pt neither"):
        resume(broken.folder)
    assert (broken.folder / "metrics.csv").read_bytes() == before


def test_a_row_that_a_kill_kept_from_its_table_comes_from_the_checkpoint(run: RunTraining) -> None:
    whole = run()
    broken = run(callbacks=[StopAfter(9)])
    table = broken.folder / "metrics.csv"
    table.write_text(table.read_text(encoding="utf-8").splitlines(keepends=True)[0], encoding="utf-8")
    same(whole, resume(broken.folder))


def test_early_stopping_that_was_reached_before_a_kill_stays_reached(run: RunTraining) -> None:
    overrides = ("train.patience=1", "train.min_delta=1000.0", "train.epochs=6")
    whole = run(*overrides)
    assert whole.stopped == "patience"
    facts = (whole.folder / "facts.json").read_text(encoding="utf-8")
    (whole.folder / "facts.json").write_text(facts.replace('"finished": true', '"finished": false'), encoding="utf-8")
    before = (whole.folder / "metrics.csv").read_text(encoding="utf-8")
    again = resume(whole.folder)
    assert again.stopped == "patience"
    assert (whole.folder / "metrics.csv").read_text(encoding="utf-8") == before


def test_one_writer_at_a_time(run: RunTraining) -> None:
    broken = run(callbacks=[StopAfter(3)])
    holder = "from dlcheck.runs.hold import Hold; from pathlib import Path; import sys\n"
    holder += "with Hold(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(broken.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(DlcheckError, match=rf"another training is writing .*process {process.pid} on ") as caught:
        resume(broken.folder)
    assert "\n" not in str(caught.value)
    process.kill()
    process.communicate()
    assert (broken.folder / LOCK).exists()  # stale, and no obstacle
    assert resume(broken.folder).stopped is None
    with Hold(broken.folder), pytest.raises(DlcheckError, match="another training"):
        resume(broken.folder)


class Send(Callback):
    """Sends this process a signal in a step."""

    def __init__(self, number: int) -> None:
        self.number = number

    def on_gradients(self, trainer: Trainer) -> None:
        if trainer.state.step == 8:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGHUP, signal.SIGINT))]
)
def test_a_signal_is_waited_for_and_everything_kept(run: RunTraining, number: int) -> None:
    before = signal.getsignal(number)
    broken = run(callbacks=[Send(number)])
    assert broken.stopped == "interrupted"
    assert broken.signal == number
    assert signal.getsignal(number) == before
    same(run(), resume(broken.folder))


def test_a_terminal_that_closes_ends_nothing_under_nohup(run: RunTraining) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(callbacks=[Send(signal.SIGHUP)]).stopped is None
    finally:
        signal.signal(signal.SIGHUP, before)


class Remove(Callback):
    """Takes a run's folder away while it trains."""

    def __init__(self, path: Path, aside: Path) -> None:
        self.path, self.aside = path, aside

    def on_step_end(self, trainer: Trainer) -> None:
        if trainer.state.step == 8:
            self.path.rename(self.aside)


def test_a_folder_taken_away_under_a_run_is_one_line(run: RunTraining, tmp_path: Path) -> None:
    with pytest.raises(DlcheckError, match=r"taken away while the training ran|there is no folder") as caught:
        run(callbacks=[Remove(tmp_path / "run-1", tmp_path / "aside")])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run-1").exists()
    same(run(), resume(tmp_path / "aside"))


def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(
    run: RunTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    class Full(Callback):
        def on_step_end(self, trainer: Trainer) -> None:
            if trainer.state.step == 8:
                resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(DlcheckError, match="no space left on the device"):
            run(callbacks=[Full()])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    same(run(), resume(tmp_path / "run-1"))


class Fail(Callback):
    """Fails some steps after a checkpoint, when these were written."""

    def on_step_end(self, trainer: Trainer) -> None:
        if trainer.state.epoch == 1 and trainer.state.batch == 2:
            trainer.flush()
            raise DlcheckError("failed")


def test_event_files_show_no_step_twice_after_a_resume(run: RunTraining, tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def shown(folder: Path) -> list[int]:
        read = accumulator.EventAccumulator(str(folder / "tensorboard"), {"scalars": 0})
        read.Reload()
        return [event.step for event in read.Scalars("step/loss")]

    whole = run("train.tensorboard=true")
    with pytest.raises(DlcheckError, match="failed"):
        run("train.tensorboard=true", callbacks=[Fail()])
    folder = tmp_path / "run-2"
    before = shown(folder)
    resume(folder)
    assert len(list((folder / "tensorboard").iterdir())) == 2
    assert shown(folder) == shown(whole.folder)
    assert before == shown(whole.folder)[: len(before)]
    assert len(before) > len(shown(whole.folder)) / 3  # some steps were made twice


def test_checkpoints_of_many_epochs_do_not_grow(run: RunTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcheck.training.state.MOST_ROWS", 3)
    sizes: list[int] = []

    class Weigh(Callback):
        def on_epoch_begin(self, trainer: Trainer) -> None:
            last = broken_at / "checkpoints" / "last.pt"
            sizes.append(last.stat().st_size if last.exists() else 0)

    overrides = ("data.limit=64", "train.batch_size=64", "train.epochs=18")
    whole = run(*overrides)
    broken_at = whole.folder.with_name("run-2")
    broken = run(*overrides, callbacks=[Weigh(), StopAfter(12)])
    assert max(sizes) - sizes[5] < 256
    facts = read_object(broken.folder / "facts.json")
    resumed = resume(broken.folder)
    same(whole, resumed)
    assert len(metrics(resumed.folder)) == 18
    assert facts["best_epoch"] is not None
    assert resumed.facts["best_val_loss"] == whole.facts["best_val_loss"]
