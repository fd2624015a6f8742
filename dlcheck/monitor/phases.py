"""Where the time of a step goes: waiting, forward, backward, optimizer."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any, Protocol

import torch


class Clock(Protocol):
    """Marks moments, and tells later how far they are apart."""

    def mark(self) -> Any:
        """Return this moment."""

    def between(self, first: Any, second: Any) -> float | None:
        """Return seconds between two moments; None when that is not known yet."""


class HostClock:
    """The processor's own clock: right where work is done before the call returns."""

    def mark(self) -> float:
        """Return this moment."""
        return time.perf_counter()

    def between(self, first: float, second: float) -> float | None:
        """Return the seconds between two moments."""
        return second - first


class DeviceClock:
    """Events in the device's stream of work; nobody waits for them."""

    def mark(self) -> Any:
        """Return this moment, as the device will see it."""
        event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def between(self, first: Any, second: Any) -> float | None:
        """Return seconds between two moments; None until the device has reached the second."""
        return first.elapsed_time(second) / 1000 if second.query() else None


class Phases:
    """Adds up phases of the steps that are not looked at closely, and tells their means."""

    def __init__(self, clock: Clock, tell: Callable[[int, str, float], None]) -> None:
        self.clock = clock
        self._tell = tell
        self._open: dict[str, Any] = {}
        self._spans: list[tuple[str, Any, Any]] = []
        self._waits: list[float] = []
        self._sums: dict[str, float] = defaultdict(float)
        self._steps = 0
        self._late: deque[list[tuple[str, Any, Any]]] = deque()

    def begin(self, phase: str) -> None:
        """Begin a phase."""
        self._open[phase] = self.clock.mark()

    def end(self, phase: str) -> None:
        """End a phase, if it has begun."""
        began = self._open.pop(phase, None)
        if began is not None:
            self._spans.append((phase, began, self.clock.mark()))

    def waited(self, seconds: float) -> None:
        """Add time that was spent waiting for a batch, measured by somebody else."""
        self._waits.append(seconds)

    def step(self, keep: bool) -> None:
        """End a step; one that was looked at closely took longer and is not kept."""
        self._open.clear()
        spans, self._spans = self._spans, []
        waits, self._waits = self._waits, []
        if keep and (spans or waits):
            self._late.append([*spans, *(("wait", None, seconds) for seconds in waits)])
        self._take()

    def _take(self) -> None:
        while self._late:
            spans = self._late[0]
            seconds = [last if first is None else self.clock.between(first, last) for _, first, last in spans]
            if any(one is None for one in seconds):
                return
            self._late.popleft()
            self._steps += 1
            for (phase, _, _), one in zip(spans, seconds, strict=True):
                self._sums[phase] += one or 0.0

    def flush(self, step: int) -> None:
        """Tell the mean of each phase over the steps since the last call."""
        self._take()
        if not self._steps:
            return
        for phase, total in self._sums.items():
            self._tell(step, phase, total / self._steps)
        self._sums.clear()
        self._steps = 0
