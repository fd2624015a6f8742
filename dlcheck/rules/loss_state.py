"""How the training loss fares, for rules that need its word beside what layers and gradients say."""

import math
from dataclasses import dataclass

import numpy as np

from dlcheck.rules.course import TRAINING, Course, course, signal_series
from dlcheck.rules.reference import reference, start_loss
from dlcheck.rules.rule import Unchecked
from dlcheck.rules.statistics import tail
from dlcheck.runs import Run

LEAST_POINTS = 6
"""The end and the best level need three points each."""
MEDIAN_ERROR = 1.2533
"""Standard error of a median over that of a mean, of normal values: the root of π/2."""
LEAP_WITHIN = 20
"""Values within which a loss leaps when its first steps are far too long."""
LEAP = 3.0
"""Times its start that three of these values are above: a start of bad luck is not."""
HALF = 0.5
"""Share of the start; a run that gained more is on its way in spite of all."""
SURE = 3.0
"""Standard errors beyond which a difference of two levels is one."""


@dataclass(frozen=True, slots=True)
class LossState:
    """The training loss from where it began to where it ended."""

    course: Course
    start: float
    """Loss of a constant answer or of an untrained network where known, else the first value."""
    known: bool
    """Whether ``start`` is such a loss, not merely the first value."""
    end: float
    """Median of the last tenth."""
    error: float
    """Standard error of ``end``."""
    nonfinite: bool
    """Whether the last value that was logged is NaN or infinite."""

    @property
    def scale(self) -> float:
        """What shares are relative to."""
        return abs(self.start) or 1.0

    @property
    def best(self) -> float:
        """Lowest level."""
        return float(self.course.level.min())

    @property
    def gained(self) -> float:
        """Share of the start that was gained at best."""
        return (self.start - self.best) / self.scale

    @property
    def kept(self) -> float:
        """Share of the start that was gained at the end; negative when the loss ended above it."""
        return (self.start - self.end) / self.scale

    @property
    def rises(self) -> bool:
        """Whether it ends beyond doubt above where it began."""
        return self.end - self.start > max(0.1 * self.scale, SURE * self.error)

    @property
    def lost(self) -> bool:
        """Whether it ends having lost half of what it had gained, beyond doubt."""
        fallen = self.start - self.best
        return fallen > 0 and self.end - self.best > max(0.5 * fallen, 0.1 * abs(self.best), SURE * self.error)

    def stuck(self, share: float) -> bool:
        """Return whether no more than this share of the start was gained at the end."""
        return self.kept < share

    @property
    def leapt(self) -> bool:
        """Whether it went to several times its start within the first steps, and has not made good half of it since."""
        early = self.course.curve.values[1:LEAP_WITHIN]
        return len(early) >= 3 and float(np.sort(early)[-3]) > LEAP * self.start > 0 and self.kept < HALF

    def bad(self, share: float) -> str:
        """Return in words what is wrong with it: not finite, risen, lost, or not ``share`` gained; else nothing."""
        name = self.course.name
        if self.nonfinite:
            return f"{name} is not finite at the end"
        if self.rises:
            return f"{name} ended at {self.end:.3g}, above the {self.start:.3g} of its start"
        if self.lost:
            return f"{name} ended at {self.end:.3g} after it had reached {self.best:.3g}"
        if self.stuck(share):
            return f"{name} ended at {self.end:.3g}, still near the {self.start:.3g} of its start"
        return ""


def need_loss_state(run: Run, question: str) -> LossState:
    """Return the state of the first training loss with enough values.

    Args:
        run: What was logged.
        question: What it would tell, as "it suffers".

    Raises:
        Unchecked: there is none.
    """
    state = loss_state(run)
    if state is None:
        raise Unchecked(f"too few values of a training loss to tell whether {question}", "dlcheck train RECIPE")
    return state


def loss_state(run: Run) -> LossState | None:
    """Return the state of the first training loss with enough values, None when there is none."""
    found = [item for name in TRAINING if (item := course(run, name)) is not None]
    enough = next((item for item in found if len(item) >= LEAST_POINTS or _broke(run, item)), None)
    if enough is None:
        return None
    known = reference(run)
    last = tail(enough.y, 0.1)
    return LossState(
        course=enough,
        start=start_loss(run, float(enough.y[0])),
        known=known is not None and known.fact != "first_batch_loss",
        end=enough.end,
        error=MEDIAN_ERROR * enough.noise / math.sqrt(len(last)),
        nonfinite=_broke(run, enough),
    )


def _broke(run: Run, loss: Course) -> bool:
    """Return whether the last value that was logged is not finite: then few finite ones are all there will be."""
    return not bool(np.isfinite(signal_series(run, loss.name).values[-1]))
