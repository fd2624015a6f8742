"""The series of a run, found once, and the robust course of each."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dlcheck.rules.cache import per_run
from dlcheck.rules.rule import Unchecked
from dlcheck.rules.statistics import block_medians, block_starts, noise, positions, smooth, tail
from dlcheck.runs import Curve, Run
from dlcheck.runs.run import Numbers
from dlcheck.runs.signals import SIGNALS

TRAINING = ("train_loss", "train_eval_loss", "batch_loss")
LOSSES = (*TRAINING, "val_loss")
MOST_POINTS = 300
"""A longer series is judged by the medians of this many blocks."""
LARGEST = 1e100
"""Values beyond count as this, so that their squares and sums stay finite."""
EMPTY = Curve(np.empty(0), np.empty(0), np.empty(0))


@dataclass(frozen=True, slots=True)
class Course:
    """A series without its non-finite values, reduced to at most 300 points; shape (points,) throughout."""

    name: str
    """The signal, or the column for other metrics."""
    curve: Curve
    """All finite points."""
    x: Numbers
    y: Numbers
    """Medians of blocks; of a short series its points."""
    highest: Numbers
    """The largest value of each block; of single batches that of their running median of 3."""
    level: Numbers
    """Running median of ``y`` over 3 points, 5 in series of 60 or more."""
    noise: float
    """Standard deviation of ``y`` around its course."""

    def __len__(self) -> int:
        return len(self.y)

    @property
    def best(self) -> int:
        """Index of the lowest level."""
        return int(np.argmin(self.level))

    @property
    def end(self) -> float:
        """Median of the last tenth, of at least 3 points."""
        return float(np.median(tail(self.y, 0.1)))

    @property
    def start(self) -> float:
        """Where it began: the first level, or the median of the first 3 points where that is higher."""
        return max(float(self.level[0]), float(np.median(self.curve.values[:3])))

    @property
    def fall(self) -> float:
        """From the start to the lowest level."""
        return self.start - float(self.level.min())

    def place(self, index: int) -> tuple[int | None, int | None]:
        """Return step and epoch of one of the reduced points."""
        return self.curve.place(min(len(self.curve) - 1, (2 * index + 1) * len(self.curve) // (2 * len(self.y))))


@per_run
def curves(run: Run) -> dict[tuple[str, str], Curve]:
    """Return every series of a run by split and metric, in the order of the log."""
    frame = run.scalars
    if frame.empty:
        return {}
    splits, metrics = frame["split"].cat, frame["metric"].cat
    codes, others = (item.codes.to_numpy(np.int32) for item in (splits, metrics))
    keys = codes * np.int32(len(metrics.categories)) + others
    columns = [frame[name].to_numpy(np.float64) for name in ("step", "epoch", "value")]
    bounds = _changes(keys)
    if len(bounds) - 1 > len(np.unique(keys[bounds[:-1]])):  # rows of several series lie mixed
        order = np.argsort(keys, kind="stable")
        keys, columns = keys[order], [column[order] for column in columns]
        bounds = _changes(keys)
    found: dict[tuple[str, str], Curve] = {}
    for first, end in pairwise(bounds):
        split, metric = divmod(int(keys[first]), len(metrics.categories))
        name = (str(splits.categories[split]), str(metrics.categories[metric]))
        found[name] = Curve(*(column[first:end] for column in columns))
    return found


def _changes(keys: np.ndarray) -> np.ndarray:
    """Return the first index of each stretch of equal keys, and the end of the last."""
    return np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1, [len(keys)]])


def signal_series(run: Run, name: str) -> Curve:
    """Return the series of a scalar signal; empty when it was never logged."""
    signal = SIGNALS[name]
    return curves(run).get((signal.split, signal.metric), EMPTY)


def present(run: Run, name: str) -> bool:
    """Return whether the run holds at least one value of a signal, finite or not."""
    signal = SIGNALS[name]
    if signal.kind != "scalar":
        return signal.present(run)
    if signal.metric == "*":
        return any(split == signal.split and metric not in ("loss", "batch_loss") for split, metric in curves(run))
    return (signal.split, signal.metric) in curves(run)


@per_run
def series_course(run: Run, split: str, metric: str, name: str) -> Course | None:
    """Return the course of a series, None without a finite value."""
    curve = curves(run).get((split, metric), EMPTY)
    if not np.isfinite(curve.values).all():
        curve = curve.finite
    if not len(curve):
        return None
    if max(float(curve.values.max()), -float(curve.values.min())) > LARGEST:
        curve = Curve(curve.steps, curve.epochs, np.clip(curve.values, -LARGEST, LARGEST))
    x, y = positions(curve), curve.values
    # One batch may be hard by chance; a spike takes several.
    highest = _middle_of_three(y) if metric == "batch_loss" else y
    if len(y) > MOST_POINTS:
        starts = block_starts(len(y), MOST_POINTS)
        highest = np.maximum.reduceat(highest, starts)
        x, y = x[starts + len(y) // (2 * MOST_POINTS)], block_medians(y, MOST_POINTS)
    return Course(name, curve, x, y, highest, smooth(y, 5 if len(y) >= 60 else 3), noise(y))


def _middle_of_three(y: Numbers) -> Numbers:
    """Return the running median of 3; the ends stay as they are."""
    if len(y) < 3:
        return y
    lower, upper = np.minimum(y[:-2], y[1:-1]), np.maximum(y[:-2], y[1:-1])
    middle = np.maximum(lower, np.minimum(upper, y[2:]))
    return np.concatenate([y[:1], middle, y[-1:]])


def course(run: Run, name: str) -> Course | None:
    """Return the course of a scalar signal, None without a finite value."""
    signal = SIGNALS[name]
    return series_course(run, signal.split, signal.metric, name)


def training_course(run: Run) -> Course | None:
    """Return the course of the first training loss that the run has, in the order of ``TRAINING``."""
    return next((one for name in TRAINING if (one := course(run, name)) is not None), None)


def need_course(run: Run, names: tuple[str, ...], least: int) -> Course:
    """Return the course of the first of these signals with enough finite values.

    Raises:
        Unchecked: none has enough.
    """
    found = [item for name in names if (item := course(run, name)) is not None]
    for item in found:
        if len(item) >= least:
            return item
    longest = max(found, key=len, default=None)
    count, name = (len(longest.curve), longest.name) if longest else (0, names[0])
    raise Unchecked(f"only {count} finite values of {name}; {least} are needed")
