"""Two configurations measured in turns: what a step costs, and by how much one is faster."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from dlcheck.profiling.parts import steady
from dlcheck.profiling.rows import StepRow

CONFIDENCE = 0.95
"""Of intervals that a person sees."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as fast the second of two is: time of the first over that of the second."""

    value: float
    low: float
    high: float
    """Ends of the interval."""
    pairs: int
    """Of blocks made one right after the other."""

    @property
    def faster(self) -> bool:
        """Return whether the second is faster beyond chance."""
        return self.low > 1.0

    @property
    def slower(self) -> bool:
        """Return whether the second is slower beyond chance."""
        return self.high < 1.0

    @property
    def width(self) -> float:
        """Return half the interval's width on a logarithmic scale; 0.1 is about ±10 %."""
        return math.log(self.high / self.low) / 2 if self.low > 0 else math.inf


def paired_ratio(first: Sequence[float], second: Sequence[float], *, confidence: float = CONFIDENCE) -> Ratio:
    """Return how many times as fast the second is, from costs of blocks made in turns.

    The interval is Student's, of the mean logarithm of the ratios within pairs: whatever slowed both blocks of a pair
    cancels. Of one pair it reaches from 0 to infinity.

    Args:
        first: seconds of a step in each block of the first, above 0.
        second: those of the second, each made right before or after its counterpart.
        confidence: of the interval.
    """
    from scipy.special import stdtrit

    logs = [math.log(one / other) for one, other in zip(first, second, strict=True)]
    centre = fmean(logs)
    if len(logs) < 2:
        return Ratio(math.exp(centre), 0.0, math.inf, len(logs))
    half = float(stdtrit(len(logs) - 1, (1 + confidence) / 2)) * stdev(logs) / math.sqrt(len(logs))
    return Ratio(math.exp(centre), math.exp(centre - half), math.exp(centre + half), len(logs))


def step_cost(rows: Sequence[StepRow], epoch: int | None, *, workers: int = 0) -> float:
    """Return the mean seconds of a step in a training of many epochs.

    Means, not medians: workers that finish together leave one long wait and several of none. Blocks that hold whole
    epochs count as they are; in others the first batches of epochs are left out, for a few steps may hold more or
    fewer of them than the training does. Where workers need longer for their batches than steps took, the queue was
    still filled from a rest before, and in the long run steps wait for the workers.

    Args:
        rows: at least one.
        epoch: rows of an epoch, as far as that is known.
        workers: that make batches, 0: none.
    """
    if epoch and len(rows) >= epoch:
        whole = len(rows) // epoch * epoch
        return fmean(row.period for row in rows[-whole:])
    kept = steady(rows)
    making = [row.batch.ready - row.batch.began for row in kept if row.batch is not None]
    limit = fmean(making) / workers if workers and making else 0.0
    return max(fmean(row.period for row in kept), limit)
