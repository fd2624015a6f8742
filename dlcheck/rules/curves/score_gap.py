"""Whether a score rose on the training samples and not at all on those of validation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlcheck.rules.scores import Score, score
from dlcheck.rules.statistics import tail, trend
from dlcheck.runs import Run


@dataclass(frozen=True, slots=True)
class ScoreGap:
    """The same score on both splits, at the first validation and at the end."""

    val: Score
    train_first: float
    train_end: float
    val_first: float
    val_end: float


def score_gap(run: Run, limits: Mapping[str, float]) -> ScoreGap | None:
    """Return the scores of a run whose training carried nothing over to validation, None for any other."""
    val, train = score(run, "val"), score(run, "train_eval") or score(run, "train")
    if val is None or train is None or not (val.bounded and train.bounded and val.name == train.name):
        return None
    if min(len(val.y), len(train.y)) < limits["least_points"]:
        return None
    found = ScoreGap(val, float(train.y[0]), _end(train), float(val.y[0]), _end(val))
    rising = trend(train.course.x, train.y).p_rising < limits["level"]
    learned = rising and found.train_end - found.train_first >= limits["score_gap"]
    carried = found.val_end - found.val_first >= 0.2 * limits["score_gap"] or _rises(val)
    apart = found.train_end - found.val_end >= limits["score_gap"]
    return found if learned and apart and not carried else None


def _end(found: Score) -> float:
    return float(np.median(tail(found.y, 0.2)))


def _rises(found: Score) -> bool:
    """Return whether the score rises after its first fifth; the first values may be chance."""
    first = len(found.y) // 5
    return trend(found.course.x[first:], found.y[first:]).rises(0.01)
