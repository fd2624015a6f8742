"""C417."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.course import LOSSES, Course, need_course
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import STOP, TRAINS
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.runs import Run


@dataclass(frozen=True, slots=True)
class _Fault:
    index: int
    summary: str
    cause: str
    remedies: tuple[Remedy, ...]
    severity: Severity = Severity.INFO


LASTING = Prescription(
    "let the rate fall as half a cosine, which ends with the run",
    {"schedule.name": "cosine"},
    only_if={"schedule.name": ("step", "multistep", "exponential", "inverse_time", "plateau")},
    expects=TRAINS,
)
BRIEF = Prescription("warm the rate up over the first epoch only", {"schedule.warmup": 1.0}, expects=TRAINS)


@rule(
    "C417",
    "schedule-mistimed",
    Severity.INFO,
    needs=("lr", LOSSES),
    thresholds={
        "least_points": Threshold(10, "a share of a tenth is one point"),
        "gone": Threshold(0.01, "a hundredth of the highest rate moves the weights no more"),
        "early": Threshold(0.6, "schedules that decay to the end are still above a hundredth there"),
        "nil": Threshold(1e-3, "three decays to a tenth, which long runs end with"),
        "wasted": Threshold(0.3, "no plan for a run leaves two thirds of it without steps"),
        "warmup": Threshold(0.9, "Godbole et al. 2023: warm-up takes a tenth of the steps, not all of them"),
    },
    references=(
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
        "Loshchilov & Hutter 2017, SGDR, ICLR, arXiv:1608.03983",
    ),
    prescriptions=(LASTING, BRIEF, STOP),
)
def schedule_mistimed(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a learning-rate schedule that ends long before the run does, or that the run ends before.

    What it finds:
        A rate that has sunk to almost nothing with a large part of the run still to come; or one that was
        still warming up at the last step. Where it was next to zero for more than two thirds of the run, and
        no decay by steps led there, it is a warning.
    Why it matters:
        Steps at no rate are wasted; a run that stops in its warm-up has not begun.
    What to do:
        Fit the length of the schedule to that of the run. A scheduler meant for epochs and called after every
        batch runs down too early; the other way round it never gets anywhere.
    Limits:
        A rate that is lowered because validation stalled may end early on purpose.
    Thresholds:
        least_points: Fewer logged rates are not judged.
        gone: Rate relative to the highest that is almost nothing.
        early: Share of the run before which that must not happen.
        nil: Rate relative to the highest that is next to zero.
        wasted: Share of the run before which it must be so for a warning.
        warmup: Share of the run after which the rate must not rise any more.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook (decay, warm-up); Loshchilov & Hutter 2017,
        arXiv:1608.03983.
    """
    rates = need_course(run, ("lr",), int(limits["least_points"]))
    fault = _gone(run, rates, limits) or _warming(run, rates, limits)
    if fault is None:
        return
    step, epoch = rates.place(fault.index)
    yield schedule_mistimed.finding(
        fault.summary,
        severity=fault.severity,
        confidence=0.85,
        evidence={"highest_rate": float(rates.y.max()), "last_rate": float(rates.y[-1])},
        where=Where(metric="lr", step=step, epoch=epoch),
        cause=fault.cause,
        remedies=fault.remedies,
    )


def _gone(run: Run, rates: Course, limits: Limits) -> _Fault | None:
    peak = int(np.argmax(rates.y))
    after = np.flatnonzero(rates.y[peak:] < limits["gone"] * rates.y[peak]) + peak
    if not len(after) or rates.y[peak] <= 0 or rates.y[after[0] :].max() >= limits["gone"] * rates.y[peak]:
        return None
    share = after[0] / (len(rates) - 1)
    if share >= limits["early"]:
        return None
    return _Fault(
        int(after[0]),
        f"the learning rate had sunk below {limits['gone']:.0%} of its highest value after {share:.0%} of the run",
        "a schedule shorter than the run, for instance one counted in epochs that is stepped after every batch",
        (
            Remedy("let the schedule last as long as the run, and step it as often as it expects"),
            *prescribed(run, LASTING, STOP),
        ),
        Severity.WARNING if _wasted(rates.y[peak:], len(rates), limits) else Severity.INFO,
    )


def _wasted(rates: NDArray[np.float64], length: int, limits: Limits) -> bool:
    """Return whether the rate was next to zero for most of the run, and not led there by a few cuts of a plateau."""
    nil = np.flatnonzero(rates < limits["nil"] * rates[0])
    if not len(nil) or nil[0] + length - len(rates) >= limits["wasted"] * (length - 1):
        return False
    way = rates[: nil[0] + 1]
    stays = int((np.diff(way) == 0).sum())
    return stays <= len(way) // 4 or rates[nil[0]] == 0


def _warming(run: Run, rates: Course, limits: Limits) -> _Fault | None:
    late = rates.y[int(limits["warmup"] * len(rates)) :]
    rising = (np.diff(rates.y) >= 0).all() and late[-1] > late[0] and rates.y[-1] > 2 * rates.y[0]
    if not rising:
        return None
    return _Fault(
        len(rates) - 1,
        "the learning rate was still rising when the run ended",
        "a warm-up as long as the run, or a run that was cut short",
        (
            *prescribed(run, BRIEF),
            Remedy("let the run go on: it has not left its warm-up"),
        ),
    )
