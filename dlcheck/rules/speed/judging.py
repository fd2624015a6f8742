"""What the rules of speed have in common: when a stall is told, how sure, and with which numbers."""

from __future__ import annotations

from collections.abc import Callable

from dlcheck.findings import Severity, Value
from dlcheck.rules.rule import Limits, Unchecked
from dlcheck.rules.site import finite
from dlcheck.rules.speed.busy import contended, why_unsure
from dlcheck.rules.speed.limits import defaults
from dlcheck.rules.speed.picture import Picture
from dlcheck.rules.speed.stall import Stall
from dlcheck.runs.signals import PROFILE

Look = Callable[[Picture, Limits], Stall | None]
AGREED, ALONE = 0.9, 0.65
"""Confidence with a second signal that agrees, and without."""


def judged(seen: Picture, look: Look, limits: Limits, least: str = "share") -> Stall | None:
    """Return a stall that is worth telling, None where there is none; ``least`` names the smallest share told.

    Raises:
        Unchecked: other programs kept the machine too busy to tell.
    """
    stall = look(seen, defaults(limits))
    if stall is None:
        return None
    above = stall.share.above(limits[least])
    if above is None:
        raise Unchecked(why_unsure(seen), PROFILE)
    return stall if above else None


def severity(stall: Stall, limits: Limits, least: str = "share") -> Severity:
    """Return a warning where a second signal agrees and the share is large enough, else information."""
    sure = stall.agreed and not stall.denied and stall.share.above(limits[least])
    return Severity.WARNING if sure else Severity.INFO


def confidence(stall: Stall, seen: Picture) -> float:
    """Return how sure a finding is; less on a machine that was busy."""
    base = AGREED if stall.agreed and not stall.denied else ALONE
    return round(base - 0.1 * contended(seen, defaults()), 2)


def numbers(stall: Stall, seen: Picture) -> dict[str, Value]:
    """Return the evidence that every stall has."""
    gain = stall.gain
    return {
        "share": finite(stall.share.value),
        "seconds_per_step": finite(stall.seconds),
        "period_s": finite(seen.period_s),
        "steps": seen.steps.steps,
        "faster_without": finite(gain.value),
        "faster_low": finite(gain.low),
        "faster_high": finite(gain.high),
        "faster_measured": gain.measured,
    }


def promise(stall: Stall) -> str:
    """Return what ending a stall would bring, to be put after a statement."""
    how = "measured on ready batches" if stall.gain.measured else "if nothing else then waits"
    return f"without it {stall.gain.value:.3g} times as fast, {how}"


def refuse_cpu(seen: Picture, what: str, known: object) -> None:
    """Refuse to judge a device by what a CPU does not have, or by what was not measured.

    Raises:
        Unchecked: always on a CPU; elsewhere where ``known`` is None.
    """
    if seen.on_cpu:
        raise Unchecked("a CPU needs no copies, launches or synchronisation")
    if known is None:
        raise Unchecked(f"no {what} in this run", PROFILE)
