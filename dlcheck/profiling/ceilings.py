"""How fast the training is, and would be if loading or copying cost nothing, in samples a second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dlcheck.profiling.account import epoch_excess
from dlcheck.profiling.found import Found
from dlcheck.profiling.parts import epoch_rows, steady
from dlcheck.profiling.rows import StepRow
from dlcheck.runs.facts import Ceilings, Rate

RESAMPLES = 1000
"""Enough for the ends of a 95 % interval (Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 14)."""
SEED = 7


def ceilings(
    now: Sequence[StepRow],
    ideal: Sequence[StepRow] = (),
    copied: Sequence[StepRow] = (),
    *,
    loader: Sequence[StepRow] = (),
    found: Found | None = None,
    note: str = "",
) -> Ceilings:
    """Return the rates of the training as it is and of its ceilings, from the steps of each.

    Beginnings of epochs count in the present rate, as often as they come in epochs of their real length, which
    ``found`` tells; the ceilings have none.

    Raises:
        ValueError: there is no step of the training as it is.
    """
    present = rate(now, extra_s=_per_step(now, found))
    if present is None:
        raise ValueError("the rate of a training takes at least one of its steps")
    return Ceilings(now=present, ideal=rate(ideal), copied=rate(copied), loader=rate(loader), note=note)


def rate(rows: Sequence[StepRow], *, extra_s: float = 0.0) -> Rate | None:
    """Return the samples a second over the steps of the steady state; None without any.

    The interval is of a bootstrap over stretches of neighbouring steps, since one step's wait depends on those
    before it (Künsch 1989, Ann. Statist. 17(3)); their length is the cube root of the number of steps.

    Args:
        rows: steps in order.
        extra_s: what every step costs beyond its own length.
    """
    kept = steady(rows)
    seconds = np.array([row.period + extra_s for row in kept])
    samples = np.array([float(row.samples) for row in kept])
    if not kept or seconds.sum() <= 0:
        return None
    drawn = _stretches(len(kept))
    rates = samples[drawn].sum(axis=1) / np.maximum(seconds[drawn].sum(axis=1), 1e-12)
    value = float(samples.sum() / seconds.sum())
    low, high = (float(end) for end in np.percentile(rates, (2.5, 97.5)))
    return Rate(value, min(low, value), max(high, value))


def _stretches(count: int) -> NDArray[np.int64]:
    """Return indices of shape (resamples, about count): stretches that begin anywhere and go on from the end."""
    length = max(1, round(count ** (1 / 3)))
    stretches = -(-count // length)
    begins = np.random.default_rng(SEED).integers(0, count, size=(RESAMPLES, stretches, 1))
    return ((begins + np.arange(length)) % count).reshape(RESAMPLES, -1)


def _per_step(rows: Sequence[StepRow], found: Found | None) -> float:
    """Return what the beginnings of epochs cost, a step."""
    excess = epoch_excess(rows)
    length = epoch_rows(found) if found is not None else None
    return excess / length if excess is not None and length else 0.0


def half_width(rate: Rate) -> float:
    """Return half the width of a rate's interval, relative to the rate."""
    return (rate.high - rate.low) / 2 / rate.value if rate.value > 0 else 0.0
