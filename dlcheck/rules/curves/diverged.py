"""C402."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.reference import start_loss
from dlcheck.rules.remedy import patched, scaled_lr
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.statistics import noise, positions, smooth, tail, thin
from dlcheck.runs import Run
from dlcheck.runs.signals import first_present, signal_curve

TRAINING = ("train_loss", "train_eval_loss", "batch_loss")


@dataclass(frozen=True, slots=True)
class _Course:
    metric: str
    start: float
    best: float
    best_x: float
    end: float
    end_lowest: float
    """The lowest single value of the end."""
    noise: float

    @property
    def rise(self) -> float:
        return self.end - self.best


@rule(
    "C402",
    "diverged",
    Severity.ERROR,
    needs=(TRAINING,),
    thresholds={
        "least_points": Threshold(6, "the end and the best level need three points each"),
        "lost_share": Threshold(
            0.5, "half of what was learned; measured: 348 of 350 faultless small runs lost under a tenth"
        ),
        "rise": Threshold(0.1, "a tenth, so that a loss that is large from the start needs a visible rise"),
        "noise": Threshold(3.0, "three standard deviations of single points, between medians of three or more"),
    },
    references=("Godbole et al. 2023, Deep Learning Tuning Playbook",),
)
def diverged(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a training loss that ends far above where it had been.

    What it finds:
        A finite training loss whose last tenth lies above the best level it had reached: by a share of all
        the progress made until then, relative to the best level, and beyond the noise, and with not a single
        value of that last tenth back near the best.
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
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook (training instability).
    """
    course = _measure(run, int(limits["least_points"]))
    least = max(
        limits["lost_share"] * (course.start - course.best),
        limits["rise"] * abs(course.best),
        limits["noise"] * course.noise,
    )
    if course.rise > least and course.end_lowest > course.best + least / 2:
        yield _judge(run, course)


def _measure(run: Run, least_points: int) -> _Course:
    metric = _metric(run, least_points)
    curve = signal_curve(run, metric).finite
    x, y = thin(positions(curve), curve.values)
    level = smooth(y, 5 if len(y) >= 30 else 3)
    best, end = int(np.argmin(level)), tail(y, 0.1)
    return _Course(
        metric,
        start=start_loss(run, float(y[0])),
        best=float(level[best]),
        best_x=float(x[best]),
        end=float(np.median(end)),
        end_lowest=float(end.min()),
        noise=noise(y),
    )


def _metric(run: Run, least_points: int) -> str:
    for name in TRAINING:
        if len(signal_curve(run, name).finite) >= least_points:
            return name
    first = first_present(run, *TRAINING) or TRAINING[0]
    count = len(signal_curve(run, first).finite)
    raise Unchecked(f"only {count} finite values of {first}; {least_points} are needed")


def _judge(run: Run, course: _Course) -> Finding:
    progress = course.start - course.best
    return diverged.finding(
        f"{course.metric} ended at {course.end:.3g}, far above the {course.best:.3g} it had reached",
        confidence=0.95,
        evidence={
            "start": course.start,
            "best": course.best,
            "end": course.end,
            "lost_share": course.rise / progress if progress > 0 else None,
            "noise": course.noise,
        },
        where=Where(metric=course.metric, step=int(course.best_x)),
        cause="steps that are too large for the curvature of the loss",
        remedies=(scaled_lr(run, 0.3), patched(run, "clip the gradient to norm 1", {"train.clip_norm": 1.0})),
    )
