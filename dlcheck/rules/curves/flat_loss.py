"""Whether a run's losses ever left the level at which they began; needs no reference."""

from dataclasses import dataclass

import numpy as np

from dlcheck.rules.course import LOSSES, TRAINING, Course, course, need_course, training_course
from dlcheck.rules.rule import Limits, Unchecked
from dlcheck.rules.scores import Score, scores
from dlcheck.runs import Run

EARLY = 2
"""Values at the start within which a loss that was far too high at first reaches a constant answer's."""
DECIMALS = 1e4
"""A value that is whole when multiplied with this may have been rounded by its logger."""
LEARNED = 0.05
"""Rise of an accuracy that is worth the name of learning."""


@dataclass(frozen=True, slots=True)
class Flat:
    """A loss that stayed where it began."""

    loss: Course
    gained: float
    """Share of the first level that was gained at best."""
    both: bool
    """Whether training and validation loss agree."""

    @property
    def constant(self) -> bool:
        """Whether all values are the same."""
        return float(np.ptp(self.loss.curve.values)) == 0

    @property
    def summary(self) -> str:
        """The fact in one sentence."""
        name, first = self.loss.name, float(self.loss.level[0])
        if self.constant:
            return f"{name} is {first:.4g} from the first value to the last: it never moved"
        return f"{name} stayed where it began, at {first:.4g}: it gained {self.gained:.2%} in the whole run"


def flat(run: Run, limits: Limits) -> Flat | None:
    """Return the loss that never left its first level, None when it did.

    Raises:
        Unchecked: too few points, or a score so good that it was learned before the log began.
    """
    loss = need_course(run, TRAINING, int(limits["flat_points"]))
    courses = [item for name in LOSSES if (item := course(run, name)) is not None and len(item) >= 3]
    gains = [_gain(item) for item in courses]
    shown = scores(run, "val", "train")
    if not courses or max(gains) >= limits["gain"]:
        _check_course(loss, shown, limits)
        return None
    found = Flat(loss, _gain(loss), both=len(courses) > 1)
    if any(known.improves and not (known.bounded and float(np.ptp(known.level)) < LEARNED) for known in shown):
        return None
    good = any(known.bounded and known.y.max() >= limits["good_score"] for known in shown)
    if good and not found.constant:
        raise Unchecked("the loss of a constant answer is not known, and the scores were good from the start")
    return found


def unmoved_validation(run: Run, least: int) -> Course | None:
    """Return the validation loss if it is the same to the last digit in every validation: its weights never moved.

    A loss that was logged with few digits, or reached its floor, may repeat; one with more than four decimals does
    not by chance. Other samples or dropout would change it, as would the statistics of batch normalisation.
    """
    loss, train = course(run, "val_loss"), training_course(run)
    if loss is None or train is None or len(loss.curve) < least or len(loss.curve.values) != len(loss.y):
        return None
    value = float(loss.y[0])
    digits = abs(value * DECIMALS - round(value * DECIMALS)) > 1e-4
    same = bool((loss.y == value).all()) and value != 0 and digits
    return loss if same and float(np.ptp(train.curve.values)) > 0 else None


def _check_course(loss: Course, found: list[Score], limits: Limits) -> None:
    """Refuse to call learned what fell at once to a level that it never left: that of a constant answer, perhaps."""
    later = loss.level[EARLY:]
    stuck = float(later[0] - later.min()) < limits["gain"] * abs(float(later[0]))
    shown = any(known.improves or (known.bounded and known.y.max() >= limits["good_score"]) for known in found)
    if stuck and not shown:
        raise Unchecked("the loss fell within its first values only, and that of a constant answer is not known")


def _gain(loss: Course) -> float:
    """Return the share of the first level that was gained; the noise of the first point does not count."""
    first = max(1, len(loss) // 10)
    start = max(float(np.median(loss.y[:first])), float(loss.level[0]))
    return (start - float(loss.level.min())) / abs(start) if start else 0.0
