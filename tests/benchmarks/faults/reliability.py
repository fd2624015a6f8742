"""Whether stated confidence is kept: findings in bins of confidence, with the share of each that was right."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.faults.cases import Cases, Plant, serious
from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.faults.record import Told, Trained

EDGES = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Bins of stated confidence; each holds its lower edge, the last its upper one too."""

Says = Callable[[Trained], list[Told] | None]
"""What one doctor told of a training; None: not asked."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Findings whose stated confidence lies between two edges."""

    low: float
    high: float
    stated: float
    """Mean confidence; nan without findings."""
    right: Share

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        stated = None if math.isnan(self.stated) else self.stated
        return {"low": self.low, "high": self.high, "stated": stated, "right": self.right.as_dict()}


@dataclass(frozen=True, slots=True)
class Reliability:
    """One doctor's reliability table."""

    bins: tuple[Bin, ...]
    neutral: int
    """Findings left out, as nobody knows whether they are right."""

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"bins": [one.as_dict() for one in self.bins], "neutral": self.neutral}


def reliability(cases: Cases, says: Says) -> Reliability:
    """Judge each finding of warning or worse by whether it was right, in bins of its confidence.

    Any finding on a healthy or harmless training is wrong. On a training whose fault counts, one that names the fault
    is right. Another one is wrong if it is primary, or if the fault does not hurt and is only exact. Else it is left
    out: it may well be a true consequence of the fault.
    """
    answers: list[tuple[float, bool]] = []
    for run in [*cases.healthy, *(plant.run for plant in cases.harmless)]:
        answers += [(one.confidence, False) for one in serious(says(run) or [])]
    judged = [(one.confidence, _right(plant, one)) for plant in cases.plants for one in serious(says(plant.run) or [])]
    answers += [(confidence, right) for confidence, right in judged if right is not None]
    return Reliability(_bins(answers), sum(right is None for _, right in judged))


def _right(plant: Plant, told: Told) -> bool | None:
    if plant.right(told):
        return True
    return None if plant.kill.hurts and not told.primary else False


def _bins(answers: Iterable[tuple[float, bool]]) -> tuple[Bin, ...]:
    held: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for confidence, right in answers:
        held[sum(confidence >= edge for edge in EDGES[1:-1])].append((confidence, right))
    return tuple(_bin(index, held[index]) for index in range(len(EDGES) - 1))


def _bin(index: int, held: list[tuple[float, bool]]) -> Bin:
    stated = math.fsum(confidence for confidence, _ in held) / len(held) if held else math.nan
    return Bin(EDGES[index], EDGES[index + 1], stated, Share.among(right for _, right in held))
