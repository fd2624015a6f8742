"""C402."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import TRAINING, Course, need_course
from dlcheck.rules.prescriptions import CLIP, WARM_UP, rate
from dlcheck.rules.reference import start_loss
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.rules.statistics import tail
from dlcheck.runs import Run
from dlcheck.runs.run import Numbers

LONG = 5
"""Points of an unbroken stretch that no spike fills."""


@dataclass(frozen=True, slots=True)
class Loss:
    """How far a training loss stands above the lowest level it had reached; arrays of shape (points,)."""

    course: Course
    start: float
    lowest: Numbers
    """Lowest level up to each point."""
    lost: np.ndarray
    """Whether a point's level is far above that."""

    @property
    def longest(self) -> tuple[int, int]:
        """First and end index of the longest unbroken stretch far above."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.lost, [False]]).astype(np.int8)))
        if not len(edges):
            return 0, 0
        first, end = max(edges.reshape(-1, 2).tolist(), key=lambda stretch: stretch[1] - stretch[0])
        return int(first), int(end)


THRESHOLDS = {
    "least_points": Threshold(6, "the end and the best level need three points each"),
    "lost_share": Threshold(
        0.5, "half of what was learned; measured: 348 of 350 faultless small runs lost under a tenth"
    ),
    "rise": Threshold(0.1, "a tenth, so that a loss that is large from the start needs a visible rise"),
    "noise": Threshold(3.0, "three standard deviations of single points, between medians of three or more"),
    "stretch": Threshold(0.2, "a fifth of the run; spikes are over within a few points"),
}


@rule(
    "C402",
    "diverged",
    Severity.ERROR,
    needs=(TRAINING,),
    thresholds=THRESHOLDS,
    references=("Godbole et al. 2023, Deep Learning Tuning Playbook",),
    prescriptions=(rate(0.3), WARM_UP, CLIP),
)
def diverged(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a training loss that ends, or stays for long, far above where it had been.

    What it finds:
        A finite training loss whose last tenth lies above the best level it had reached: by a share of all
        the progress made until then, relative to the best level, and beyond the noise, and with not a single
        value of that last tenth back near the best. A long stretch as far above that is mended before the
        end is a warning.
    Why it matters:
        The network has lost what it had learned; the last weights are worse than earlier ones.
    What to do:
        Lower the learning rate, warm it up, or clip the gradient. Take the best checkpoint, not the last.
    Limits:
        A curriculum or augmentation that makes the training samples harder also raises the training loss.
    Thresholds:
        least_points: Fewer points of the training loss are not judged.
        lost_share: Share of the progress from the first to the best level that must be lost.
        rise: Rise over the best level, relative to it.
        noise: Rise in standard deviations of the noise between points.
        stretch: Share of the run that the loss stands far above, when it comes back in the end.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook (training instability).
    """
    loss = measure_loss(run, limits)
    first, end = loss.longest
    least = float(_least(loss.start, loss.lowest[-1:], loss.course, limits)[0])
    best = float(loss.lowest[-1])
    if loss.course.end > best + least and float(tail(loss.course.y, 0.1).min()) > best + least / 2:
        yield _judge(run, loss, loss.course.best, Severity.ERROR)
    elif first > 0 and end - first >= LONG and loss.lost.mean() >= limits["stretch"]:
        yield _judge(run, loss, first - 1, Severity.WARNING)


def measure_loss(run: Run, limits: Limits) -> Loss:
    """Return where the training loss stands far above what it had reached.

    Raises:
        Unchecked: too few points.
    """
    course = need_course(run, TRAINING, int(limits["least_points"]))
    start = start_loss(run, float(course.y[0]))
    lowest = np.minimum.accumulate(course.level)
    lost = course.level > lowest + _least(start, lowest, course, limits)
    return Loss(course, start, lowest, lost)


def _least(start: float, lowest: Numbers, course: Course, limits: Limits) -> Numbers:
    progress = limits["lost_share"] * (start - lowest)
    return np.maximum(np.maximum(progress, limits["rise"] * np.abs(lowest)), limits["noise"] * course.noise)


def _judge(run: Run, loss: Loss, best: int, severity: Severity) -> Finding:
    course, lowest = loss.course, float(loss.course.level[best])
    step, epoch = course.place(best)
    progress = loss.start - lowest
    recovered = severity is Severity.WARNING
    stands = float(np.median(course.y[slice(*loss.longest)])) if recovered else course.end
    words = "stood for long" if recovered else "ended"
    after = f", and came back to {course.end:.3g} at the end" if recovered else ""
    return diverged.finding(
        f"{course.name} {words} at {stands:.3g}, far above the {lowest:.3g} it had reached{after}",
        severity=severity,
        confidence=0.85 if recovered else 0.95,
        evidence={
            "start": loss.start,
            "best": lowest,
            "end": stands,
            "lost_share": (stands - lowest) / progress if progress > 0 else None,
            "noise": course.noise,
        },
        where=Where(metric=course.name, step=step, epoch=epoch),
        cause="steps that are too large for the curvature of the loss",
    )
