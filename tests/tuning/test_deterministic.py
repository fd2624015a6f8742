"""``--deterministic`` gives the same trials twice."""

from pathlib import Path

import pytest

from dlcheck.tuning.planning import Request
from dlcheck.tuning.trials import TrialRow
from dlcheck.tuning.tune import tune
from tests.tuning.conftest import RATES, TINY, written

COSTS = ("seconds", "step_ms", "memory_mib", "wall_s", "samples_per_s")


def same(row: TrialRow) -> tuple[object, ...]:
    """Return what of a trial must repeat: all but times."""
    metrics = {name: value for name, value in row.metrics.items() if name not in COSTS}
    return (row.number, row.state, row.ending, row.raw, row.told, row.curve, metrics, row.reason)


def rows(folder: Path, workers: int, trials: int) -> list[tuple[object, ...]]:
    text = TINY.replace("epochs = 2", "epochs = 9") + RATES.replace("1e-3, 1e-1", "1e-4, 1.0")
    loaded = written(folder, text, f"tune.trials={trials}", "data.limit=64")
    how = Request(study_dir=folder / "study", device="cpu", workers=workers, deterministic=True, conclude=False)
    tuned = tune(loaded, how)
    return [same(row) for row in tuned.view.trials]


def test_one_worker_repeats_itself_and_goes_on_as_if_never_interrupted(tmp_path: Path) -> None:
    whole = rows(tmp_path / "a", 1, 9)
    rows(tmp_path / "b", 1, 4)
    assert rows(tmp_path / "b", 1, 9) == whole
    assert {row[1] for row in whole} >= {"COMPLETE", "PRUNED"}


@pytest.mark.slow
def test_two_workers_repeat_themselves(tmp_path: Path) -> None:
    assert rows(tmp_path / "a", 2, 14) == rows(tmp_path / "b", 2, 14)
