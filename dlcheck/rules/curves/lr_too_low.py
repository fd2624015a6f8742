"""C405."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import TRAINING, Course, course, need_course
from dlcheck.rules.curves.guessing import started_guessing, uninformed_guess
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import rate
from dlcheck.rules.reference import reference
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.statistics import half_life, trend
from dlcheck.runs import Run


@dataclass(frozen=True, slots=True)
class _Slow:
    course: Course
    fallen: float
    """Share of the first level, or of the known reference, that was gained."""
    known: bool
    half_life: float
    highest_rate: float | None


@rule(
    "C405",
    "learning-rate-too-low",
    Severity.WARNING,
    needs=(TRAINING,),
    thresholds={
        "least_points": Threshold(10, "the slopes of both halves need five points each"),
        "fallen": Threshold(0.25, "a quarter of the loss: a run that gains more is merely not finished"),
        "straight": Threshold(0.4, "half of the gain at half of the run is a straight line; less 0.1 for noise"),
        "least_fallen": Threshold(0.002, "less is no fall; no-learning judges that"),
        "rate": Threshold(1e-5, "Godbole et al. 2023: below the usual search range of every optimizer"),
        "level": Threshold(0.001, "one-sided level of the trend; the fall must be beyond doubt"),
    },
    references=(
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
        "Smith 2018, arXiv:1803.09820",
    ),
    prescriptions=(
        rate(10.0),
        Prescription("try rates a factor of three apart for a few epochs each, and take the best"),
        Prescription("check that a schedule or a warm-up does not hold the rate down"),
    ),
)
def learning_rate_too_low(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a training loss that creeps down in a straight line and gets nowhere.

    What it finds:
        A training loss that falls beyond doubt, as fast at the end as at the beginning, and yet gained only a
        small share of what there was to gain; and a second signal that agrees: it is still near the loss of a
        network that knows nothing, or the logged rate is tiny. Where no such loss is known, a first loss and
        accuracy that belong to guessing among some number of classes stand in for it.
    Why it matters:
        The run takes many times the steps it needs, and looks like a network that cannot learn.
    What to do:
        Raise the rate threefold to tenfold, or measure the best one with a learning-rate range test.
    Limits:
        Gentle fine-tuning of a trained network can look the same.
    Thresholds:
        least_points: Fewer points are not judged.
        fallen: Share of the reference that was gained, at most.
        straight: Share of the run by which half of the gain was made, at least.
        least_fallen: Share of the reference that was gained, at least.
        rate: Highest logged rate that is tiny.
        level: One-sided significance level of the fall.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook; Smith 2018, arXiv:1803.09820 (range test).
    """
    # Labels that say nothing are crept towards as slowly: then it is not the rate.
    ignorant = started_guessing(run) and uninformed_guess(run) is None
    if reference(run) is None and course(run, "lr") is None and not ignorant:
        raise Unchecked("neither the loss of a constant answer nor the learning rate is known", "dlcheck train RECIPE")
    slow = _measure(run, int(limits["least_points"]))
    tiny = slow.highest_rate is not None and slow.highest_rate <= limits["rate"]
    creeps = limits["least_fallen"] < slow.fallen < limits["fallen"] and slow.half_life >= limits["straight"]
    if (
        not creeps
        or not (tiny or slow.known or ignorant)
        or not trend(slow.course.x, slow.course.y).falls(limits["level"])
    ):
        return
    late = len(slow.course) // 2
    if trend(slow.course.x[late:], slow.course.y[late:]).falls(0.05):
        yield _judge(run, slow)


def _measure(run: Run, least_points: int) -> _Slow:
    found = need_course(run, TRAINING, least_points)
    known = reference(run)
    start = known.loss if known else float(found.level[0])
    rates = course(run, "lr")
    return _Slow(
        found,
        fallen=(start - float(found.level.min())) / abs(start) if start else 0.0,
        known=known is not None and known.fact != "first_batch_loss",
        half_life=half_life(found.level),
        highest_rate=float(np.max(rates.y)) if rates else None,
    )


def _judge(run: Run, slow: _Slow) -> Finding:
    step, epoch = slow.course.place(0)
    return learning_rate_too_low.finding(
        f"{slow.course.name} crept from {slow.course.level[0]:.4g} to {slow.course.end:.4g} in a straight line",
        confidence=0.75,
        evidence={
            "first_loss": float(slow.course.level[0]),
            "last_loss": slow.course.end,
            "gained_share": slow.fallen,
            "half_life": slow.half_life,
            "highest_rate": slow.highest_rate,
        },
        where=Where(metric=slow.course.name, step=step, epoch=epoch),
        cause="steps far shorter than the loss allows",
    )
