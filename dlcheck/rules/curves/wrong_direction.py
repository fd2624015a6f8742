"""C416."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import TRAINING, Course, need_course
from dlcheck.rules.layer_table import LONG_STEP, first_ratios
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import rate
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.rules.scores import Score, scores
from dlcheck.rules.statistics import noise, trend
from dlcheck.runs import Run

SPLITS = ("train_eval", "train", "val")
IGNORANT = 0.5
"""Accuracy below which a classifier does not know most answers."""
LEAST = 8
"""Values of an accuracy whose trend can be told."""


@dataclass(frozen=True, slots=True)
class _Wrong:
    course: Course
    how: str
    index: int
    worsening: str | None
    """The score that worsens with it."""


@rule(
    "C416",
    "wrong-direction",
    Severity.ERROR,
    needs=(TRAINING,),
    thresholds={
        "least_points": Threshold(8, "Kendall 1975: enough for a trend of 0.001"),
        "climb": Threshold(0.2, "a fifth of the start, steadily; a rate that is too high climbs in jumps"),
        "steady": Threshold(0.05, "noise between points relative to the whole climb"),
        "dip": Threshold(0.15, "a loss that had fallen by a seventh of its start knew the way down"),
        "level": Threshold(0.001, "one-sided level of the trend"),
    },
    references=(
        "Tobin 2021, Full Stack Deep Learning, lecture 7",
        "Karpathy 2019, A Recipe for Training Neural Networks",
    ),
    prescriptions=(
        Prescription("look for a sign: -loss, an added instead of a subtracted gradient, maximize=True"),
        Prescription("check what the loss expects: logits, log-probabilities or probabilities"),
        rate(0.1),
    ),
)
def wrong_direction(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a loss that climbs steadily from the start, or falls below 0 where it cannot be negative.

    What it finds:
        A training loss that rises without a break from its first values to its last; or one of a classifier
        that became negative and goes on falling. A classifier is told by its accuracy or its class counts.
    Why it matters:
        The optimizer maximises what it should minimise: every step makes the network worse.
    What to do:
        Look for a flipped sign: of the loss, of the update, of the target; and for log-probabilities where the
        loss expects probabilities.
    Limits:
        Negative log-likelihoods of densities are rightly negative. Rising penalties that are logged with the
        loss, and adversarial losses, climb by design.
    Thresholds:
        least_points: Fewer points are not judged.
        climb: Rise from the start, relative to it.
        steady: Noise between points relative to the rise, at most.
        dip: Share of the start (or of the climb, if smaller) by which the loss may have fallen on the way.
        level: One-sided significance level of the rise.
    Sources:
        Tobin 2021, Full Stack Deep Learning, lecture 7 (the error goes up: a flipped sign); Karpathy 2019.
    """
    course = need_course(run, TRAINING, int(limits["least_points"]))
    found = _negative(run, course) or _climbing(run, course, limits)
    if found is not None:
        yield _judge(found)


def _negative(run: Run, course: Course) -> _Wrong | None:
    below = np.flatnonzero(course.level < 0)
    found = scores(run, *SPLITS)
    accuracy = [item for item in found if "acc" in item.name.lower() or "top" in item.name.lower()]
    classes = bool(accuracy) or "class_counts" in run.facts
    if not classes or not len(below):
        return None
    if course.y[0] <= 0 and "class_counts" not in run.facts and not _ignorant(accuracy):
        return None  # only where every loss is a cross-entropy is one that begins below 0 impossible
    if not trend(course.x[below[0] :], course.y[below[0] :]).falls(0.05):
        return None
    return _Wrong(course, "fell below 0 and goes on falling", int(below[0]), _worsening(found))


def _ignorant(accuracy: list[Score]) -> bool:
    """Return whether no accuracy rises, nor says that anything is known: a loss that falls all the same is turned."""
    known = [item for item in accuracy if item.improves or float(np.median(item.y)) >= IGNORANT]
    return bool(accuracy) and all(len(item.y) >= LEAST for item in accuracy) and not known


def _climbing(run: Run, course: Course, limits: Limits) -> _Wrong | None:
    first, last = float(course.level[0]), float(course.end)
    climb = last - first
    parts = [float(np.median(part)) for part in np.array_split(course.y, 4)]
    steady = noise(course.y) <= limits["steady"] * climb and bool((np.diff(parts) > 0).all())
    lowest = float(course.level.min()) >= min(first, float(course.y[0])) - limits["dip"] * min(climb, abs(first))
    if climb <= limits["climb"] * abs(first) or not steady or not lowest:
        return None
    if not trend(course.x, course.y).rises(limits["level"]) or _leaping(run):
        return None
    return _Wrong(course, "climbs steadily from its first value", 0, _worsening(scores(run, *SPLITS)))


def _leaping(run: Run) -> bool:
    """Return whether the first steps were so long that no direction could help: the rate is at fault."""
    table = first_ratios(run)
    return bool(table.names) and float(np.median(table.medians)) > LONG_STEP


def _worsening(found: list[Score]) -> str | None:
    return next((item.name for item in found if trend(item.course.x, item.y).falls(0.05)), None)


def _judge(found: _Wrong) -> Finding:
    course = found.course
    step, epoch = course.place(found.index)
    also = f", and {found.worsening} worsens" if found.worsening else ""
    return wrong_direction.finding(
        f"{course.name} {found.how}, from {course.y[0]:.3g} to {course.end:.3g}{also}",
        confidence=0.95 if found.worsening else 0.8,
        evidence={
            "first_loss": float(course.y[0]),
            "last_loss": course.end,
            "worsening_metric": found.worsening,
        },
        where=Where(metric=course.name, step=step, epoch=epoch),
        cause="a flipped sign in the loss, the target or the update",
    )
