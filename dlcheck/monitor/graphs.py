"""Whether graphs of earlier steps stay alive."""

from __future__ import annotations

import weakref

import numpy as np
from torch import Tensor

from dlcheck.rules.statistics import trend
from dlcheck.runs.facts import GraphGrowth, Site

EVERY = 8
"""Steps between counts."""
MOST = 2000
"""Graphs alive beyond which there is no point in counting on."""
LEAST_SAMPLES = 5
"""Readings of memory below which no slope is told."""
MOST_COUNTS = 2000
"""Looks that are remembered: a training may last for days."""


class _Sentinel:
    __slots__ = ("__weakref__",)


class Graphs:
    """Puts an object into the last node of every loss's graph: it lives exactly as long as the graph does."""

    def __init__(self) -> None:
        self._alive: list[tuple[weakref.ref[_Sentinel], int]] = []
        """Each with the number of losses that it stands for."""
        self._unmarked, self._heaviest = 0, 1
        self._counts: list[tuple[int, int]] = []
        """Losses so far, and graphs alive then; of many looks every second one is left out, and so on."""
        self._looks, self._stride = 0, 1
        self._latest = self._highest = 0
        self._memory: list[tuple[int, float]] = []
        self._losses = 0
        self._full = False
        self._epoch_began: int | None = None
        self._epoch_steps: int | None = None

    def passing(self, loss: Tensor) -> None:
        """Take note of a loss of a step that must cost little: one of several is marked, for all of them."""
        if self._unmarked >= EVERY - 1:
            self.add(loss)
        else:
            self._unmarked += 1

    def skip(self, losses: int) -> None:
        """Take note of losses that are not marked themselves; the next one that is stands for these, too."""
        self._unmarked += losses

    def add(self, loss: Tensor) -> None:
        """Take note of a loss with its graph."""
        weight, self._unmarked = self._unmarked + 1, 0
        self._heaviest = max(self._heaviest, weight)
        before = self._losses
        self._losses += weight
        if self._full or loss.grad_fn is None:
            return
        sentinel = _Sentinel()
        metadata: dict[str, object] = loss.grad_fn.metadata  # type: ignore[assignment]  # a property
        metadata["dlcheck"] = sentinel
        self._alive.append((weakref.ref(sentinel), weight))
        if self._losses // EVERY > before // EVERY:
            self._count()

    def memory(self, step: int, mebibytes: float) -> None:
        """Take note of the memory in use."""
        self._memory.append((step, mebibytes))

    def epoch(self) -> None:
        """Take note that an epoch begins."""
        self._count()
        if self._epoch_began is not None and self._losses > self._epoch_began:
            self._epoch_steps = self._losses - self._epoch_began
        self._epoch_began = self._losses

    def fact(self, site: Site | None = None) -> GraphGrowth | None:
        """Return how many graphs are alive, and were halfway; None before any loss."""
        if not self._losses:
            return None
        self._count()
        halfway = min(self._counts, key=lambda count: abs(count[0] - self._losses / 2))
        slope, low = _slope(self._memory)
        return GraphGrowth(
            steps=self._losses,
            alive=self._latest,
            alive_middle=halfway[1],
            highest=self._highest,
            epoch_steps=self._epoch_steps,
            resolution=self._heaviest,
            memory_slope=slope,
            memory_slope_low=low,
            site=site,
        )

    def _count(self) -> None:
        # The last loss may be alive because the variable that holds it is.
        last = self._alive[-1:]
        kept = [one for one in self._alive[:-1] if one[0]() is not None]
        self._latest = sum(weight for _, weight in kept)
        self._highest = max(self._highest, self._latest)
        self._looks += 1
        if self._looks % self._stride == 0:
            self._counts.append((self._losses, self._latest))
        if len(self._counts) > MOST_COUNTS:
            del self._counts[::2]
            self._stride *= 2
        self._alive = [*kept, *last]
        self._full = len(self._alive) >= MOST


def _slope(memory: list[tuple[int, float]]) -> tuple[float | None, float | None]:
    """Return MiB a step and the lower end of its 95 % interval, over the second half: the first one fills caches."""
    late = np.array([row for row in memory if row[0] > memory[-1][0] / 2] if memory else [], dtype=float)
    if len(late) < LEAST_SAMPLES or np.ptp(late[:, 0]) == 0:
        return None, None
    found = trend(late[:, 0], late[:, 1])
    return found.slope, found.low
