"""Whether memory grows from step to step, from what was in use between blocks of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from dlcheck.runs.facts import MemoryGrowth

FEWEST = 5
"""Samples: with fewer, a pool that is still being filled looks like growth in every part."""
EVEN = 0.25
"""Of the median rate: a part in which memory grew more slowly shows that it comes to rest."""
LEAST = 1 << 20
"""Bytes in all: less is what an interpreter and its allocator keep for themselves."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory in use when so many steps had been made."""

    step: int
    bytes: int


def growth(samples: Sequence[Sample], *, kind: str, capacity: int | None = None) -> MemoryGrowth | None:
    """Return how fast memory grows: the median over the parts between samples; None with too few of them.

    It is certain where it grew in every part, at least at a quarter of that rate, and by a MiB in all.

    Args:
        samples: in the order in which they were taken, the first one after the warm-up.
        kind: ``device`` or ``host``.
        capacity: bytes that there are.
    """
    parts = [(first, last) for first, last in pairwise(samples) if last.step > first.step]
    if len(parts) < FEWEST - 1:
        return None
    rates = [(last.bytes - first.bytes) / (last.step - first.step) for first, last in parts]
    usual = median(rates)
    grown = parts[-1][1].bytes - parts[0][0].bytes
    return MemoryGrowth(
        kind=kind,
        bytes_per_step=usual,
        steps=parts[-1][1].step - parts[0][0].step,
        bytes=parts[-1][1].bytes,
        capacity=capacity,
        certain=usual > 0 and min(rates) >= EVEN * usual and grown >= LEAST,
    )


def common_samples(taken: Sequence[tuple[int, Mapping[int, int]]]) -> tuple[Sample, ...]:
    """Return the memory of those processes that lived all the time, of steps and the bytes of each process.

    Workers that come and go with the epochs would look like growth and its opposite.
    """
    if not taken:
        return ()
    pids = set.intersection(*(set(memory) for _, memory in taken))
    return tuple(Sample(step, sum(memory[pid] for pid in pids)) for step, memory in taken) if pids else ()
