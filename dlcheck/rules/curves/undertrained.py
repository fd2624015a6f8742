"""C412."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import Course, course, need_course
from dlcheck.rules.prescriptions import LONGER, rate
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.rules.statistics import Trend, tail, trend
from dlcheck.runs import Run

LOSSES = ("val_loss", "train_eval_loss", "train_loss", "batch_loss")


@dataclass(frozen=True, slots=True)
class _Pace:
    """How fast a loss falls, per unit of x, and what that is worth."""

    late: Trend
    """Of the last half."""
    latest: float
    """Slope of the last quarter."""
    middle: float
    """Slope of the middle half."""
    gain: float
    """Expected fall over another tenth of the run."""
    last: float
    progress: float
    noise: float


@rule(
    "C412",
    "undertrained",
    Severity.INFO,
    needs=(LOSSES,),
    thresholds={
        "least_points": Threshold(8, "a trend over the last half needs four points"),
        "share": Threshold(0.5, "the last half of the run"),
        "gain": Threshold(0.05, "a fall of a twentieth of the loss per tenth of the run is worth more epochs"),
        "progress": Threshold(0.01, "and of a hundredth of all the progress made"),
        "straight": Threshold(0.07, "a straight line gains a tenth of all progress in a tenth of the run"),
        "small": Threshold(0.01, "a hundredth of the loss per tenth of the run, where the fall has not slowed"),
        "pace": Threshold(0.7, "a curve that levels off exponentially has less than half of its middle pace left"),
        "annealed": Threshold(0.1, "a rate below a tenth of its highest ends a schedule: its last fall is its own"),
        "level": Threshold(0.01, "one-sided level of the trend"),
    },
    references=("Godbole et al. 2023, Deep Learning Tuning Playbook",),
    prescriptions=(LONGER, rate(3.0)),
)
def undertrained(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a run that was still improving when it ended.

    What it finds:
        A validation loss (without one, a training loss) that falls significantly over the last half of the
        run, and either fast enough that another tenth of the run would have gained much, or without having
        slowed down since the middle of the run, or with a learning rate that was still warming up.
    Why it matters:
        More epochs would have given a better network.
    What to do:
        Train longer, or with a higher rate; a schedule that ends lower fits a longer run too.
    Limits:
        A loss that only nears 0 falls for ever in relative terms; the share of all progress guards
        against that. Whether the task is worth the time is not for this rule to say.
    Thresholds:
        least_points: Fewer points are not judged.
        share: Share of the run over which the trend is fitted.
        gain: Expected fall over another tenth of the run, relative to the last level.
        progress: Expected fall over another tenth of the run, relative to all progress.
        straight: The same where the fall relative to the last level is less than that.
        small: The same, where the last quarter falls about as fast as the middle of the run.
        pace: Slope of the last quarter relative to that of the middle half.
        annealed: Last learning rate relative to the highest below which the pace does not count.
        level: One-sided significance level of the trend.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook (best step in the last quarter of the run).
    """
    found = need_course(run, LOSSES, int(limits["least_points"]))
    pace = _measure(found, limits["share"])
    if not pace.late.falls(limits["level"]) or not (_much(pace, limits) or _goes_on(run, pace, limits)):
        return
    step, epoch = found.place(len(found) - 1)
    yield undertrained.finding(
        f"{found.name} was still falling when the run ended at {pace.last:.3g}",
        confidence=0.9,
        evidence={"last_loss": pace.last, "expected_gain": pace.gain, "p": pace.late.p_falling},
        where=Where(metric=found.name, step=step, epoch=epoch),
        cause="fewer steps than the network could use, or steps that are too small",
    )


def _measure(found: Course, share: float) -> _Pace:
    x, y = found.x, found.y
    late = trend(tail(x, share), tail(y, share))
    latest = trend(tail(x, share / 2, 4), tail(y, share / 2, 4))
    middle = slice(len(y) // 4, max(len(y) // 4 + 3, 3 * len(y) // 4))
    return _Pace(
        late=late,
        latest=latest.slope,
        middle=trend(x[middle], y[middle]).slope,
        gain=-max(late.slope, latest.slope) * 0.1 * float(x[-1] - x[0]) * len(x) / (len(x) - 1),
        last=float(np.median(y[-3:])),
        progress=float(np.ptp(found.level)),
        noise=found.noise,
    )


def _much(pace: _Pace, limits: Limits) -> bool:
    relative = max(limits["gain"] * abs(pace.last), limits["progress"] * pace.progress)
    return pace.gain > max(min(relative, limits["straight"] * pace.progress), pace.noise)


def _unslowed(pace: _Pace, limits: Limits) -> bool:
    steady = pace.latest <= limits["pace"] * pace.middle < 0
    return steady and pace.gain > max(limits["small"] * abs(pace.last), limits["small"] / 2 * pace.progress)


def _goes_on(run: Run, pace: _Pace, limits: Limits) -> bool:
    """Return whether the loss has not slowed down, and the schedule had not ended; or had not begun."""
    rates = course(run, "lr")
    if rates is None or len(rates) < 4:
        return _unslowed(pace, limits)
    late = tail(rates.y, limits["share"])
    if late[-1] > late[0] and (np.diff(late) >= 0).all():
        return True  # still warming up
    return float(late[-1]) >= limits["annealed"] * float(rates.y.max()) and _unslowed(pace, limits)
