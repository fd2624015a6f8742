"""What a training is bound by: the one thing that holds it up most, or that nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dlcheck.rules.rule import Limits
from dlcheck.rules.speed.busy import Span, contended, why_unsure
from dlcheck.rules.speed.crowded import cpu_stall, harm_stall
from dlcheck.rules.speed.gain import Gain
from dlcheck.rules.speed.limits import defaults
from dlcheck.rules.speed.picture import Picture, picture
from dlcheck.rules.speed.stall import (
    Kind,
    Stall,
    copy_stall,
    gap_stall,
    input_stall,
    launch_stall,
    optimizer_stall,
    startup_stall,
    sync_stall,
)
from dlcheck.runs import Run
from dlcheck.runs.facts import Site

FIRST = ("cpu", "sync")
"""Kinds that are the cause of others where a second signal agrees."""
PART = 0.4
"""Share of the largest stall that such a cause must have itself."""
LOOKS = (
    cpu_stall,
    harm_stall,
    sync_stall,
    input_stall,
    startup_stall,
    copy_stall,
    launch_stall,
    gap_stall,
    optimizer_stall,
)
SURE, LIKELY, GUESS = 0.95, 0.8, 0.6


@dataclass(frozen=True, slots=True)
class Bound:
    """What a training is bound by."""

    kind: Kind
    cause: str
    """As ``decode``, ``transform:Resize``, ``outside-step``; ``compute`` where nothing holds it up."""
    share: float
    """Of all time."""
    confidence: float
    words: str
    """One sentence without a stop."""
    gain: Gain | None = None
    """What ending it would bring; None where there is nothing to end, or nothing is certain."""
    site: Site | None = None


def bound(run: Run) -> Bound:
    """Return what a training is bound by, from what was measured of its steps.

    The largest stall that costs more than its threshold and that no second signal denies; too many threads and
    synchronisation, which are causes of other stalls, come before those. Where other programs were busy, a stall
    counts only if it would on a calm machine too, and its absence likewise; else the answer is ``inconclusive``.

    Args:
        run: With the fact ``step_times``, and whichever others of a profile there are.

    Raises:
        Unchecked: the times of a step are missing, or are not those of any step.
    """
    seen, values = picture(run), defaults()
    found = stalls(seen, values)
    certain = [stall for stall in found if not stall.denied and stall.share.above(_least(stall, values))]
    open_ = [stall for stall in found if _open(stall, seen, values)]
    worst = _worst(certain)
    if worst is None:
        return _inconclusive(seen, open_) if open_ else _compute(seen, values)
    if any(other.share.high > worst.share.low for other in open_):
        return _inconclusive(seen, [worst, *open_])
    return _told(worst, seen, values)


def stalls(seen: Picture, limits: Limits) -> list[Stall]:
    """Return all that may hold a training up, whether or not it is sure."""
    found = [stall for look in LOOKS if (stall := look(seen, limits)) is not None]
    return [stall if stall.kind in ("startup", "cpu") else _of_all(stall, seen, limits) for stall in found]


def _of_all(stall: Stall, seen: Picture, limits: Limits) -> Stall:
    """Return a stall of the steady state by its share of all time, beginnings of epochs included."""
    startup = startup_stall(seen, limits)
    if startup is None:
        return stall
    rest, share = 1 - startup.share.value, stall.share
    return replace(stall, share=Span(share.value * rest, share.low * rest, share.high * rest))


def _least(stall: Stall, limits: Limits) -> float:
    if stall.cause == "workers-harmful":
        return 1 - 1 / limits["fewer"]
    return limits["optimizer_share"] if stall.cause == "optimizer" else limits["share"]


def _open(stall: Stall, seen: Picture, limits: Limits) -> bool:
    """Return whether a calm machine might show a stall, and might not; who denies it was measured on a busy one."""
    above = stall.share.above(_least(stall, limits))
    return (above is None and not stall.denied) or (stall.denied and above is not False and contended(seen, limits))


def _worst(certain: Sequence[Stall]) -> Stall | None:
    largest = max(certain, key=lambda stall: stall.share.value, default=None)
    if largest is None:
        return None
    first = [stall for stall in certain if stall.kind in FIRST and stall.agreed]
    first = [stall for stall in first if stall.share.value >= PART * largest.share.value]
    return max(first, key=lambda stall: stall.share.value, default=largest)


def _told(stall: Stall, seen: Picture, limits: Limits) -> Bound:
    share = stall.share.value
    certainty = SURE if stall.agreed else LIKELY
    if share < 1.5 * _least(stall, limits) or not stall.known or contended(seen, limits):
        certainty -= 0.15
    return Bound(stall.kind, stall.cause, share, round(certainty, 2), _sentence(stall), stall.gain, stall.site)


def _sentence(stall: Stall) -> str:
    share = f"{stall.share.value:.0%}"
    if stall.kind == "input":
        return f"{share} of the time goes into waiting for data, most of it into {stall.words}"
    if stall.cause == "workers-harmful":
        return f"{share} of the time is lost to {stall.words}"
    if stall.kind == "cpu":
        return f"{share} of the time is lost to waiting for a core: {stall.words}"
    return f"{share} of the time goes into {stall.words}"


def _compute(seen: Picture, limits: Limits) -> Bound:
    share = seen.computing
    sure = round(SURE - 0.15 * contended(seen, limits), 2)
    if share >= 1 - 2 * limits["share"]:
        return Bound("compute", "compute", share, sure, f"{share:.0%} of the time goes into computing")
    words = f"{share:.0%} of the time goes into computing, and nothing else costs enough to be worth a change"
    return Bound("compute", "compute", share, GUESS, words)


def _inconclusive(seen: Picture, among: Sequence[Stall]) -> Bound:
    most = max(among, key=lambda stall: stall.share.high)
    share = most.share.value
    words = f"{why_unsure(seen)}: {most.words} may take from {most.share.low:.0%} to {most.share.high:.0%}"
    return Bound("inconclusive", most.cause, share, GUESS, words)
