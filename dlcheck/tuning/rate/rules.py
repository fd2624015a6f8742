"""Rules that read a rate off the smoothed loss of a range test, each by itself.

All look at the loss over the logarithm of the rate; a slope by the rate itself is steepest where rates are smallest,
whatever the loss does.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
MARGIN = 10.0
"""How far below the lowest point of the loss ``minimum`` stays (fastai's rule of the same name)."""
EDGE_MARGIN = 30.0
"""How far below the edge of divergence ``edge`` stays: about the median distance of the best rate of 200 steps on the
tuning half of ``tests/benchmarks/lr_find`` (a rate 1.4 times as large as the best where it is constant, 0.7 with a
cosine)."""
SLIDE_SPAN = 15
SLIDE_FLAT = 0.005
"""Points, and difference of slopes, of fastai's ``slide`` (after Novetta, "learning rate finder", 2019)."""
UNSETTLED = 0.1
"""Share of the curve at its start that rules leave out: the running mean of few losses is their noise (as fastai)."""
ROUNDING = 1e-12
"""Relative difference of losses that is none: the running mean of equal losses is not equal to the last bit."""
FEWEST = 4
"""Points of a curve that can be read at all."""
BLOWN = 3.0
"""Times the best loss that the smoothed loss rises above it until a sweep ends: four times the best in all, as in
fastai, where it is positive."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The loss of a range test at ever larger rates."""

    rates: Numbers
    losses: Numbers
    """As they came; the last may be infinite or NaN."""
    smoothed: Numbers
    """Of the same length; NaN where losses are no longer finite."""
    diverged: bool
    """Whether it ended because the loss blew up, rather than at its last rate."""

    @property
    def readable(self) -> tuple[Numbers, Numbers]:
        """Rates and smoothed losses as far as these are finite."""
        whole = np.isfinite(self.smoothed) & np.isfinite(self.rates) & (self.rates > 0)
        return self.rates[whole], self.smoothed[whole]


Rule = Callable[[Numbers, Numbers], float | None]


def read_rules(sweep: Sweep) -> dict[str, float | None]:
    """Return the rate that each rule suggests, None where it sees nothing to read.

    Every rate lies within those of the sweep, but for ``minimum``, which may lie a decade below the first.
    """
    rates, losses = sweep.readable
    rates, losses = rates[int(len(rates) * UNSETTLED) :], losses[int(len(rates) * UNSETTLED) :]
    found = {name: _told(rule, rates, losses) for name, rule in RULES.items()}
    edge = edge_of_divergence(sweep)
    found["edge"] = None if edge is None else edge / EDGE_MARGIN
    return found


def _told(rule: Rule, rates: Numbers, losses: Numbers) -> float | None:
    if len(rates) < FEWEST or np.ptp(losses) <= ROUNDING * np.abs(losses).max():
        return None
    return rule(rates, losses)


def minimum(rates: Numbers, losses: Numbers) -> float | None:
    """Return a tenth of the rate at which the loss is lowest; None when that is the first."""
    place = int(np.argmin(losses))
    return float(rates[place]) / MARGIN if place else None


def steep(rates: Numbers, losses: Numbers) -> float | None:
    """Return the rate at which the loss falls fastest over the logarithm of the rate; None when it never falls."""
    slopes = _slopes(rates, losses)
    place = int(np.argmin(slopes))
    return float(rates[place]) if slopes[place] < 0 else None


def valley(rates: Numbers, losses: Numbers) -> float | None:
    """Return the middle of the longest falling sequence of losses, taken to be without gaps (fastai's ``valley``)."""
    falling = _longest_fall(losses)
    if len(falling) < 2:
        return None
    last = falling[-1]
    return float(rates[last - (len(falling) - 1) // 2])


def slide(rates: Numbers, losses: Numbers) -> float | None:
    """Return the rate, from the right, where slopes fifteen points apart come to agree (fastai's ``slide``)."""
    if len(losses) <= SLIDE_SPAN + 1:
        return None
    slopes = np.gradient(losses)
    right = len(losses) - 1
    while right - SLIDE_SPAN > 0 and abs(slopes[right] - slopes[right - SLIDE_SPAN]) > SLIDE_FLAT:
        right -= 1
    return float(rates[right - SLIDE_SPAN])


RULES: dict[str, Rule] = {"minimum": minimum, "valley": valley, "steep": steep, "slide": slide}


def edge_of_divergence(sweep: Sweep) -> float | None:
    """Return the largest rate before the loss rose above what it began with for good; None when it never did.

    Read off the medians of three losses, as the smoothed loss comes decades late.
    """
    if not sweep.diverged or not len(sweep.losses):
        return None
    losses = np.where(np.isfinite(sweep.losses), sweep.losses, np.inf)
    padded = np.concatenate([losses[:1], losses, losses[-1:]])
    medians = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    below = np.flatnonzero(medians <= losses[0])
    return float(sweep.rates[below[-1]]) if len(below) and np.isfinite(losses[0]) else None


def blown_up(smoothed: float, best: float, first: float) -> bool:
    """Return whether a sweep has seen enough: the smoothed loss lies far above its best.

    The bound is relative to the best loss, but never less than half of what the loss has fallen: losses near zero
    may swing by any factor.
    """
    return bool(not np.isfinite(smoothed) or smoothed > best + max(BLOWN * abs(best), 0.5 * abs(first - best)))


def _slopes(rates: Numbers, losses: Numbers) -> Numbers:
    slopes: Numbers = np.gradient(losses, np.log(rates))
    return np.where(np.isfinite(slopes), slopes, np.inf)


def _longest_fall(losses: Numbers) -> list[int]:
    """Return the places of the longest strictly falling subsequence, the first to end of those equally long."""
    tails: list[float] = []  # negated, so that bisection finds them in rising order
    places: list[int] = []
    before: list[int] = []
    for place, loss in enumerate((-losses).tolist()):
        slot = bisect.bisect_left(tails, loss)
        before.append(places[slot - 1] if slot else -1)
        if slot == len(tails):
            tails.append(loss)
            places.append(place)
        else:
            tails[slot], places[slot] = loss, place
    found: list[int] = []
    place = places[-1] if places else -1
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]
