"""P516."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.speed.limits import LIMITS
from dlcheck.runs import Run
from dlcheck.runs.facts import RankTimes
from dlcheck.runs.run import Numbers

WRONG = 0.05
"""Chance that some rank's interval leaves its true ratio out."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much longer one rank works in a step than the others' median, over the blocks of a run."""

    rank: int
    median: float
    low: float
    high: float
    """Ends of its interval."""
    own_s: float
    others_s: float
    share: float
    """Of the whole step that the others lose by waiting for it."""


@rule(
    "P516",
    "slow-rank",
    Severity.WARNING,
    needs=("rank_times",),
    thresholds={
        "ratio": Threshold(1.2, "twice the tenth from which Lin et al. 2025 count a job as slowed by stragglers"),
        "share": Threshold(0.1, "Lin et al. 2025, arXiv:2505.05713: a job slowed by a tenth has stragglers"),
        "floor_ms": LIMITS["floor_ms"],
    },
    references=("Lin et al. 2025, Understanding Stragglers in Large Model Training, arXiv:2505.05713",),
)
def slow_rank(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a rank that is steadily slower than the others, which wait for it in every step.

    What it finds:
        The rank whose own time in a step, from the averaged gradients of one step to its own gradient of the
        next, is longer than the median of the other ranks', with the interval of that ratio over the run.
    Why it matters:
        All ranks are as fast as the slowest one: what the others have too much is paid for and not used.
    What to do:
        Look at what that rank does alone (logging, saving, evaluating), at the size of its batches and files, at
        who else uses its host, and at its device's clock and temperature.
    Limits:
        Measured where gradients are averaged in the backward pass (DistributedDataParallel) or after it. A wait
        for others before that, as in synchronised batch norm, makes ranks look alike. Where times scatter so much
        that the interval reaches from no difference to a large one, nothing is said. A rank that is slow now and
        then, each time another one, is none.
    Thresholds:
        ratio: Smallest ratio of its own time to the others' median, at the interval's lower end.
        share: Smallest share of a step that the others lose.
        floor_ms: Milliseconds a step that it must cost.
    Sources:
        Lin et al. 2025, arXiv:2505.05713.
    """
    found = measured(run, RankTimes)
    ratios = _ratios(found)
    worst = max(ratios, key=lambda one: one.low)
    loudest = max(ratios, key=lambda one: one.median)
    if worst.low >= limits["ratio"]:
        lost_s = worst.own_s - worst.others_s
        if worst.share >= limits["share"] and 1e3 * lost_s >= limits["floor_ms"]:
            yield _finding(found, worst)
    elif loudest.median >= limits["ratio"] and loudest.low < 1.0:
        raise Unchecked(
            f"the times of the ranks scatter too much: {loudest.low:.2f} to {loudest.high:.2f} of each other"
        )


def _ratios(found: RankTimes) -> list[Ratio]:
    """Return a ratio for every rank; the first block is left out, in which all is loaded and built.

    Raises:
        Unchecked: fewer than two ranks, or too few blocks for an interval.
    """
    alike = len({len(pace.own_s) for pace in found.paces}) == 1
    times = np.array([pace.own_s for pace in found.paces], dtype=np.float64)[:, 1:] if alike else np.empty((0, 0))
    period = np.array(found.period_s, dtype=np.float64)[1:]
    usable = np.isfinite(times).all() and np.isfinite(period).all() and (times > 0).all() and (period > 0).all()
    if len(times) < 2 or not times.shape[1] or times.shape[1] != len(period) or not usable:
        raise Unchecked("the steps of fewer than two ranks were measured", "torchrun … -m dlcheck watch SCRIPT")
    places = _interval(times.shape[1], WRONG / len(times))
    if places is None:
        raise Unchecked(f"only {times.shape[1]} blocks of {found.block} steps to compare ranks by")
    return [_ratio(found, row, times, period, places) for row in range(len(times))]


def _ratio(found: RankTimes, row: int, times: Numbers, period: Numbers, places: tuple[int, int]) -> Ratio:
    others = np.median(np.delete(times, row, axis=0), axis=0)
    ratio = np.sort(times[row] / others)
    own_s, others_s = float(np.median(times[row])), float(np.median(others))
    share = float(np.median((times[row] - others) / period))
    low, high = (float(ratio[place]) for place in places)
    return Ratio(found.paces[row].rank, float(np.median(ratio)), low, high, own_s, others_s, share)


def _interval(count: int, wrong: float) -> tuple[int, int] | None:
    """Return the places, among so many sorted values, of the ends of the median's interval; None where too few.

    Source: the sign test's interval, exact for independent values of any law (Conover 1999, Practical Nonparametric
    Statistics, 3rd edition, 3.2).
    """
    from scipy.stats import binom  # slow to load, for runs of several ranks alone

    below = int(binom.ppf(wrong / 2, count, 0.5))
    while below >= 0 and binom.cdf(below, count, 0.5) > wrong / 2:
        below -= 1
    return (below, count - 1 - below) if below >= 0 else None


def _finding(found: RankTimes, worst: Ratio) -> Finding:
    return slow_rank.finding(
        f"rank {worst.rank} of {len(found.paces)} works {worst.median:.2f} times as long in a step as the others "
        f"({worst.low:.2f} to {worst.high:.2f}); they wait {worst.share:.0%} of each step for it",
        confidence=0.9,
        evidence={
            "rank": worst.rank,
            "ratio": worst.median,
            "ratio_low": worst.low,
            "ratio_high": worst.high,
            "own_ms": 1e3 * worst.own_s,
            "others_ms": 1e3 * worst.others_s,
            "lost_share": worst.share,
            "blocks": len(found.period_s) - 1,
            "steps_per_block": found.block,
        },
        cause="work that this rank does alone, or a host or device that is slower or shared",
        remedies=(
            Remedy("compare what this rank does in a step with the others: data, logging, saving, evaluating"),
            Remedy("give it a host or device of its own, or a smaller share of the batch"),
        ),
    )
