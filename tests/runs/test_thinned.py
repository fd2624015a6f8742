"""A table of a row a step stays bounded, keeps its extremes, goes on after a resume, and is judged as the whole is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import dlcheck
from dlcheck.findings import Severity
from dlcheck.runs import CsvLog, RunFolder
from dlcheck.runs.thinned import ThinnedLog

COLUMNS = ("step", "epoch", "loss", "lr", "grad_norm")
ROWS, MOST = 20_000, 1000
Numbers = NDArray[np.float64]


def _loss(rows: int = ROWS) -> Numbers:
    share = np.arange(rows) / rows
    noise = np.random.default_rng(0).normal(0, 0.1, rows)
    return np.asarray(2 * np.exp(-5 * share) + 0.5 + noise)


def _write(log: CsvLog | ThinnedLog, loss: Numbers, start: int = 0) -> None:
    for place in range(start, len(loss)):
        step = place + 1
        log.append((step, place * 20 // len(loss) + 1, float(loss[place]), 0.01, float(abs(loss[place]) / 3)))
    log.flush()


def _thinned(path: Path, most: int = MOST) -> ThinnedLog:
    return ThinnedLog(CsvLog(path, COLUMNS), ("loss", "grad_norm"), most=most)


def _steps(path: Path) -> list[int]:
    return [int(step) for step in pd.read_csv(path)["step"]]


def test_rows_stay_bounded_however_many_come(tmp_path: Path) -> None:
    counts = []
    for rows in (MOST, 5 * MOST, 16 * MOST):
        path = tmp_path / f"{rows}.csv"
        _write(_thinned(path), _loss(rows))
        counts.append(len(_steps(path)))
    assert counts[0] == MOST  # none is left out before there are too many
    assert max(counts) < 1.6 * MOST


def test_all_regular_rows_are_there_in_order(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    log = _thinned(path)
    _write(log, _loss())
    steps, stride = _steps(path), log.stride(ROWS)
    assert stride == 32
    assert steps == sorted(set(steps))
    assert set(range(stride, ROWS + 1, stride)) <= set(steps)


@pytest.mark.parametrize("value", [40.0, -40.0, float("nan"), float("inf")])
@pytest.mark.parametrize("place", [77, 3001, 3990])
def test_a_single_extreme_is_never_lost(tmp_path: Path, place: int, value: float) -> None:
    loss = _loss(4000)
    loss[place] = value
    _write(_thinned(tmp_path / "steps.csv", most=200), loss)
    kept = pd.read_csv(tmp_path / "steps.csv").set_index("step")["loss"]
    assert place + 1 in kept.index
    assert np.array_equal(kept[place + 1], value, equal_nan=True)


def test_the_last_row_outlives_a_thinning(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    log = _thinned(path, most=100)
    _write(log, _loss(100))
    log.append((103, 1, 1.2, 0.01, 0.4))
    log.flush()
    assert log.stride(103) == 2
    assert 100 in _steps(path)


def test_rows_are_sampled_by_log_every(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    log = ThinnedLog(CsvLog(path, COLUMNS), ("loss", "grad_norm"), every=10, most=100)
    _write(log, _loss(1000))
    assert _steps(path) == list(range(10, 1001, 10))


def test_a_resume_goes_on_as_if_there_had_been_none(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    loss = _loss()
    _write(_thinned(whole), loss)
    _write(_thinned(resumed), loss[:12_000])
    again = _thinned(resumed)
    again.truncate_after(10_000)
    assert _steps(resumed)[-1] <= 10_000
    _write(again, loss, start=10_000)
    stride = again.stride(ROWS)
    regular = [[step for step in _steps(path) if step % stride == 0] for path in (whole, resumed)]
    assert regular[0] == regular[1]
    assert len(_steps(resumed)) < 1.6 * MOST


def _spiked(loss: Numbers) -> Numbers:
    return np.where(np.arange(len(loss)) % 5003 == 4001, 30.0, loss)


def _rising(loss: Numbers) -> Numbers:
    late = np.arange(len(loss)) - 15_000
    return np.where(late > 0, loss + late / 200, loss)


TRAININGS: dict[str, Callable[[Numbers], Numbers]] = {
    "sound": lambda loss: loss,
    "spiked": _spiked,
    "diverged": _rising,
    "not a number": lambda loss: np.where(np.arange(len(loss)) > 16_003, np.nan, loss),
    "idle": lambda loss: 2.3 + 0.1 * np.random.default_rng(1).normal(0, 1, len(loss)),
}
QUICK = ("spiked", "diverged")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in TRAININGS]
)
def test_the_thinned_table_is_judged_as_the_whole_one(tmp_path: Path, name: str) -> None:
    loss = TRAININGS[name](_loss())
    found = []
    for label in ("whole", "thinned"):
        folder = RunFolder.create(tmp_path / label)
        log = CsvLog(folder.steps, COLUMNS)
        _write(log if label == "whole" else ThinnedLog(log, ("loss", "grad_norm"), most=MOST), loss)
        diagnosis = dlcheck.diagnose(folder.path)
        told = sorted(one.code for one in diagnosis.findings if one.severity > Severity.INFO)
        found.append((diagnosis.reports[0].verdict, told))
    assert found[0] == found[1]
