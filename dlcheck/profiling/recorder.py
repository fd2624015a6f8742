"""The times of the making of batches, taken in the process and thread that makes them."""

from __future__ import annotations

import os
from collections import deque
from time import perf_counter, thread_time
from typing import Any

from dlcheck.profiling.scheduling import RunQueue

SLOW = 8.0
"""Times the median sample from which on a sample counts as slow."""
RECENT = 128
"""Samples of which the median is taken."""
OFTEN = 64
"""Samples between two computations of the median, once there are enough."""

Named = dict[str, float]
Row = tuple[Any, ...]
"""The fields of a ``BatchRow``, which pickle in a third of its time."""
PID = 0
"""Place of the process in them."""


class Recorder:
    """Times the making of one batch after the other, in the process and thread that makes them."""

    def __init__(self) -> None:
        self.transforms: Named = {}
        """Seconds of each named transform in the batch being made; whoever runs one adds to it."""
        self.items: list[float] = []
        """Seconds of each sample of the batch being made, empty where that is not known."""
        self.begun = False
        """Whether a batch is being made."""
        self._queue = RunQueue()
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._median, self._since = 0.0, RECENT
        self._began = self._fetched = 0.0
        self._cpu = self._waited = 0.0
        self._fetch = (0.0, 0.0)

    def begin(self) -> None:
        """Begin to fetch the samples of a batch."""
        self.begun = True
        self.items = []
        self.transforms.clear()
        self._cpu, self._waited = thread_time(), self._queue.waited()
        self._began = perf_counter()

    def fetched(self) -> None:
        """Take note that all samples are there."""
        if not self.begun:
            self.begin()
        self._fetched = perf_counter()
        cpu, waited = thread_time(), self._queue.waited()
        self._fetch = (cpu - self._cpu, waited - self._waited)
        self._cpu, self._waited = cpu, waited

    def ready(self, augment: float = 0.0) -> Row:
        """Return the fields of the batch's ``BatchRow``: it is collated and, for so many seconds, transformed."""
        ready = perf_counter()
        cpu, waited = thread_time(), self._queue.waited()
        longest, slow = self._sized(self.items) if self.items else (0.0, 0.0)
        self.begun = False
        return (
            os.getpid(),
            self._began,
            self._fetched,
            ready,
            *self._fetch,
            ready - self._fetched - augment,
            cpu - self._cpu,
            waited - self._waited,
            augment,
            len(self.items),
            longest,
            slow,
            self._median,
            tuple(self.transforms.items()),
        )

    def _sized(self, items: list[float]) -> tuple[float, float]:
        """Return the longest sample and the sum of the slow ones, and keep the median up to date."""
        self._recent.extend(items)
        self._since += len(items)
        if self._since >= OFTEN or len(self._recent) < RECENT:
            self._median, self._since = sorted(self._recent)[len(self._recent) // 2], 0
        longest, limit = max(items), SLOW * self._median
        return longest, sum(item for item in items if item > limit) if longest > limit else 0.0


RECORDER = Recorder()
"""Of this process: a data set, its transforms and ``collate_fn`` meet here; every worker has its own."""
