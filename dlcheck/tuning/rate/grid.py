"""Short runs at a few rates under the training's own schedule: the lowest loss is looked for, not a slope read off."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from dlcheck.tuning.rate.found import RateRun
from dlcheck.tuning.rate.short_run import ShortRun, short_run
from dlcheck.tuning.rate.subject import Subject
from dlcheck.tuning.rate.sweep import HIGHEST

SPACING = math.sqrt(10.0)
"""Factor between rates: half a decade."""
TAIL = 3
"""The last third of a short run's losses is its score."""
HOPELESS = 4.0
"""Times the first loss from which, a third of the way, a run is given up."""

Look = Callable[[float], RateRun]


def search(look: Look, start: float, runs: int) -> tuple[RateRun, ...]:
    """Run at ``start`` and at rates half a decade apart around it, towards lower scores, until a lowest is enclosed.

    Args:
        look: Makes the run at a rate.
        start: The first rate.
        runs: Runs at most.

    Rates above the range test's are left alone: nothing is known of them.
    """
    seen: dict[int, RateRun] = {}
    place: int | None = 0
    start = min(start, HIGHEST)
    highest = math.floor(math.log(HIGHEST / start, SPACING) + 1e-9)
    while place is not None and len(seen) < runs:
        seen[place] = look(start * SPACING**place)
        place = _next(seen, highest)
    return tuple(seen[place] for place in sorted(seen))


def _next(seen: dict[int, RateRun], highest: int) -> int | None:
    """Return the neighbour of the lowest, up to a place, that has not been looked at; None when all have."""
    best = min(seen, key=lambda place: (seen[place].score, place))
    upward = math.isfinite(seen[best].score)  # above a rate that blows up there is nothing to see
    order = (best + 1, best - 1) if upward and len(seen) == 1 else (best - 1, best + 1)
    free = (place for place in order if place not in seen and place <= highest)
    return next((place for place in free if upward or place < best), None)


def make_look(subject: Subject, steps: int) -> Look:
    """Return what makes a run of so many steps under the squeezed schedule."""
    factors, momentum = subject.shape.squeezed(steps)

    def look(rate: float) -> RateRun:
        run = short_run(subject, rate, factors, momentum=momentum, give_up=lambda losses: hopeless(losses, steps))
        return RateRun(rate, score(run), len(run.losses))

    return look


def hopeless(losses: list[float], planned: int) -> bool:
    """Return whether a run that had a third of its steps to settle stands far above its first loss."""
    if len(losses) * TAIL < planned or len(losses) < TAIL:
        return False
    return float(np.median(losses[-TAIL:])) > losses[0] + (HOPELESS - 1) * abs(losses[0])


def score(run: ShortRun) -> float:
    """Return the mean loss of a run's last third; infinite when it was given up."""
    if not run.complete or not np.isfinite(run.losses).all():
        return math.inf
    return float(run.losses[-max(len(run.losses) // TAIL, 1) :].mean())


def lowest(runs: tuple[RateRun, ...]) -> float | None:
    """Return where a parabola through the lowest run and its neighbours is lowest; None when every run blew up.

    Over the logarithm of the rate. A neighbour that blew up, or lies far higher than the other, counts as four times
    as far above the lowest as the other one: how high a loss is behind the edge says nothing about this side.
    """
    ordered = sorted((run for run in runs if not math.isnan(run.score)), key=lambda run: run.rate)
    finite = [run for run in ordered if math.isfinite(run.score)]
    if not finite:
        return None
    best = min(finite, key=lambda run: (run.score, run.rate))
    place = ordered.index(best)
    if not 0 < place < len(ordered) - 1:
        return best.rate
    below, above = (ordered[place + side].score - best.score for side in (-1, 1))
    cap = 4 * min(below, above)
    if not 0 < cap < math.inf:
        return best.rate
    below, above = min(below, cap), min(above, cap)
    step = math.log(ordered[place + 1].rate / ordered[place - 1].rate) / 2
    return best.rate * math.exp(0.5 * (below - above) / (below + above) * step)
