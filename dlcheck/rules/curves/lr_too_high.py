"""C404."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import TRAINING, Course, course, signal_series
from dlcheck.rules.curves.diverged import LONG, THRESHOLDS, Loss, measure_loss
from dlcheck.rules.prescriptions import CLIP, WARM_UP, rate
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.statistics import trend
from dlcheck.runs import Run


@rule(
    "C404",
    "learning-rate-too-high",
    Severity.WARNING,
    needs=(TRAINING, "lr"),
    thresholds={
        **THRESHOLDS,
        "peak": Threshold(0.5, "half of the highest rate: after warm-up, before most of the decay"),
        "cut": Threshold(0.7, "a rate lowered by less than that is ordinary decay between two points"),
        "level": Threshold(0.01, "one-sided level of the trend"),
    },
    references=(
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
        "Bengio 2012, Practical Recommendations for Gradient-Based Training, arXiv:1206.5533",
    ),
    prescriptions=(rate(0.3), WARM_UP, CLIP),
)
def learning_rate_too_high(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a rate at which the training loss climbs instead of falling.

    What it finds:
        Two signals that agree: the training loss stands far above a level it had reached, or turned
        non-finite after rising, and the learning rate speaks for itself: it was near its highest when that
        began, or the loss came down as soon as the rate was lowered.
    Why it matters:
        Steps longer than the curvature of the loss allows undo what was learned.
    What to do:
        Train with a third of the rate, warm it up, or clip the gradient.
    Limits:
        Without a logged rate this rule does not judge. A rise near the highest rate can have other causes.
    Thresholds:
        least_points: Fewer points of the training loss are not judged.
        lost_share: Share of the progress from the first to the best level that must be lost.
        rise: Rise over the best level, relative to it.
        noise: Rise in standard deviations of the noise between points.
        stretch: Share of the run that the loss stands far above.
        peak: Rate at which the rise began, relative to the highest.
        cut: Rate after a cut, relative to the one before.
        level: One-sided significance level of the trend before a non-finite loss.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook (instability); Bengio 2012, arXiv:1206.5533.
    """
    rates = course(run, "lr")
    if rates is None:
        raise Unchecked("no learning rate in this run; log it with every step or epoch")
    loss = measure_loss(run, limits)
    first = _begins(run, loss, limits)
    if first is None:
        return
    rate, highest = _rate_at(loss.course, rates, first), float(rates.y.max())
    if rate >= limits["peak"] * highest > 0:
        yield _judge(run, loss, first, rate, _helped(loss, rates, first, limits))


def _begins(run: Run, loss: Loss, limits: Limits) -> int | None:
    """Return the index of the lowest level before the loss stands far above it, None when it never does."""
    first, end = loss.longest
    long = end - first >= LONG and loss.lost.mean() >= limits["stretch"]
    if long or (end == len(loss.course) and end - first >= 3):
        return int(np.argmin(loss.course.level[: first + 1]))
    values = signal_series(run, loss.course.name).values
    before = loss.course.y[-10:]
    rising = trend(np.arange(len(before), dtype=np.float64), before).rises(limits["level"])
    return int(len(loss.course) - len(before)) if not np.isfinite(values[-1]) and rising else None


def _rate_at(loss: Course, rates: Course, index: int) -> float:
    """Return the learning rate at a point of the loss, by steps or epochs, else by the share of the run."""
    for axis in ("steps", "epochs"):
        own, other = getattr(rates.curve, axis), getattr(loss.curve, axis)
        place = loss.place(index)[0 if axis == "steps" else 1]
        if place is not None and np.isfinite(own).all() and np.isfinite(other).all() and (np.diff(own) >= 0).all():
            return float(np.interp(place, own, rates.curve.values))
    share = index / max(1, len(loss) - 1)
    return float(np.interp(share * (len(rates) - 1), np.arange(len(rates)), rates.y))


def _helped(loss: Loss, rates: Course, first: int, limits: Limits) -> bool:
    """Return whether the rate was cut later, and the loss was lower after the cut than before."""
    course, count = loss.course, len(loss.course)
    by_point = np.array([_rate_at(course, rates, i) for i in range(first, count)])
    cuts = np.flatnonzero(by_point[1:] < limits["cut"] * by_point[:-1]) + 1 + first
    if not len(cuts) or cuts[0] - first < 2 or count - cuts[0] < 2:
        return False
    cut = int(cuts[0])
    return float(np.median(course.y[cut:])) < float(course.y[first:cut].min())


def _judge(run: Run, loss: Loss, first: int, rate: float, helped: bool) -> Finding:
    course = loss.course
    step, epoch = course.place(first)
    after = ", and fell once the rate was lowered" if helped else ""
    return learning_rate_too_high.finding(
        f"{course.name} climbed from {course.level[first]:.3g} to {course.level[first:].max():.3g} "
        f"at a learning rate of {rate:.3g}{after}",
        confidence=0.9 if helped else 0.8,
        evidence={
            "learning_rate": rate,
            "best_loss": float(course.level[first]),
            "highest_loss": float(course.level[first:].max()),
            "fell_after_lowering": helped,
        },
        where=Where(metric=course.name, step=step, epoch=epoch),
        cause="steps longer than the curvature of the loss allows",
    )
