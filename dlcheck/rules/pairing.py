"""Training and validation loss on one axis."""

from dataclasses import dataclass

import numpy as np

from dlcheck.rules.course import Course, need_course
from dlcheck.rules.rule import Unchecked
from dlcheck.runs import Curve, Run
from dlcheck.runs.run import Numbers

TRAIN_FIRST = ("train_eval_loss", "train_loss", "batch_loss")
SAME_SCALE = 5.0
"""Beyond this ratio at the first common point the two are not the same quantity (a sum against a mean)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The level of the training loss at each point of validation; arrays of shape (validations,)."""

    train: Course
    val: Course
    train_at: Numbers
    train_x: Numbers
    val_x: Numbers
    """Places of both courses on their common axis."""

    @property
    def comparable(self) -> bool:
        """Whether both losses plausibly have the same unit."""
        first, other = abs(float(self.train_at[0])), abs(float(self.val.level[0]))
        return max(first, other) <= SAME_SCALE * min(first, other)

    @property
    def identical(self) -> bool:
        """Whether both were logged with the same values."""
        one, other = self.train.curve.values, self.val.curve.values
        return len(one) == len(other) and len(one) > 2 and bool((one == other).all()) and bool(np.ptp(one) > 0)


def need_pair(run: Run, least: int) -> Pair:
    """Return training and validation loss, each with at least this many finite values.

    Raises:
        Unchecked: one of them is too short, or both hold the same values.
    """
    val = need_course(run, ("val_loss",), least)
    train = need_course(run, TRAIN_FIRST, least)
    train_x, val_x = _common(train, val)
    found = Pair(train, val, np.interp(val_x, train_x, train.level), train_x, val_x)
    if found.identical:
        raise Unchecked("training and validation loss were logged with the same values")
    return found


def _common(train: Course, val: Course) -> tuple[Numbers, Numbers]:
    for axis in ("steps", "epochs"):
        one, other = _places(train, axis), _places(val, axis)
        if _usable(one) and _usable(other) and 0.5 <= _ratio(one[-1], other[-1]) <= 2:
            return one, other
    return _ranks(len(train)), _ranks(len(val))


def _places(course: Course, axis: str) -> Numbers:
    curve: Curve = course.curve
    values: Numbers = getattr(curve, axis)
    if len(values) == len(course):
        return values
    middles = (2 * np.arange(len(course)) + 1) * len(values) // (2 * len(course))
    return values[middles]


def _usable(x: Numbers) -> bool:
    return bool(np.isfinite(x).all() and (np.diff(x) >= 0).all() and x[-1] > x[0])


def _ratio(one: float, other: float) -> float:
    return (one + 1) / (other + 1) if other > -1 else 0.0


def _ranks(count: int) -> Numbers:
    return (np.arange(count, dtype=np.float64) + 1) / count
