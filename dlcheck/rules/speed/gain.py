"""How much faster a training would be, from the ceilings that were measured, or else from a share."""

from __future__ import annotations

from dataclasses import dataclass

from dlcheck.rules.rule import Limits
from dlcheck.rules.speed.busy import Span
from dlcheck.rules.speed.picture import Picture, sound
from dlcheck.runs.facts import Rate

MOST = 1e6
"""No change makes a training faster than that."""


@dataclass(frozen=True, slots=True)
class Gain:
    """Present time of a step over that without a wait: 2 is twice as fast."""

    value: float
    low: float
    high: float
    measured: bool
    """The ceiling was measured; otherwise it is what the share of the step promises."""


def usable(rate: Rate | None) -> Rate | None:
    """Return a rate whose three numbers can be those of a measurement, None for any other."""
    if rate is None:
        return None
    numbers = (sound(rate.value), sound(rate.low), sound(rate.high))
    return rate if all(numbers) and rate.low <= rate.value <= rate.high else None


def promised(share: Span) -> Gain:
    """Return the gain that the share of a wait promises."""
    value, low, high = (min(MOST, 1 / max(1 - part, 1 / MOST)) for part in (share.value, share.low, share.high))
    return Gain(value, low, high, measured=False)


def between(now: Rate | None, then: Rate | None) -> Gain | None:
    """Return the gain from one measured rate to another; the ends of both intervals count."""
    now, then = usable(now), usable(then)
    if now is None or then is None or then.high / now.low > MOST:
        return None
    return Gain(then.value / now.value, then.low / now.high, then.high / now.low, measured=True)


def without_loading(seen: Picture) -> Gain | None:
    """Return the measured gain of loading that costs nothing: on batches in the memory of the host, else ready ones."""
    known = seen.ceilings
    return between(known.now, known.copied or known.ideal) if known is not None else None


def without_copies(seen: Picture) -> Gain | None:
    """Return the measured gain of batches that lie on the device over those in the memory of the host."""
    known = seen.ceilings
    return between(known.copied, known.ideal) if known is not None else None


def agreement(gain: Gain | None, share: Span, limits: Limits) -> bool | None:
    """Return whether a measured gain bears out a share: None where neither is sure, or nothing was measured."""
    if gain is None:
        return None
    least = 1 + limits["agree"] * (promised(share).value - 1)
    if gain.low >= least:
        return True
    return False if gain.high < least else None
