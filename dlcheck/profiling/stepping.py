"""A step while it is made, and the row that it becomes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Protocol

from dlcheck.profiling.rows import BatchRow, StepRow

COPY, FORWARD, BACKWARD, OPTIMIZER = range(4)
PHASES = 4
REST = -1
"""No phase."""


class DeviceMarks(Protocol):
    """Events in a device's stream of work, read once it has done it."""

    def mark(self) -> Any:
        """Return this moment, as the device will see it; nobody waits."""

    def settle(self) -> None:
        """Wait until the device has passed all moments that were marked."""

    def between(self, first: Any, second: Any) -> float:
        """Return the seconds between two moments, after ``settle``."""

    def recycle(self) -> None:
        """Forget all moments that were marked."""


class Step:
    """A step under way."""

    __slots__ = (
        "asked", "batch", "cpu", "cpu_asked", "epoch", "first", "got", "loss", "marked", "marks", "queue",
        "queue_asked", "samples", "source", "spent", "stepped", "sums", "trained", "waited",
    )  # fmt: skip

    def __init__(self, source: int, *, epoch: int, first: bool) -> None:
        self.source, self.epoch, self.first = source, epoch, first
        self.asked = self.got = self.stepped = 0.0
        self.cpu_asked = self.queue_asked = self.queue = 0.0
        self.cpu = self.waited = 0.0
        """Of the main thread, from request to batch: on a core, and waiting for one."""
        self.sums = [0.0] * PHASES
        """Of phases up to ``stepped``."""
        self.spent = [0.0] * PHASES
        """Of phases up to now."""
        self.trained = False
        """A backward pass or an optimizer's step belongs to it."""
        self.samples = 0
        self.batch: BatchRow | None = None
        self.loss: Any = None
        self.marks: list[tuple[int, Any]] = []
        """Phase that begins, and the moment on the device."""
        self.marked = 0
        """Of these, how many were made up to ``stepped``."""


def row_of(step: Step, now: float, queue: float) -> StepRow:
    """Return the row of a step that ends now, after waiting so long for a core."""
    copy, forward, backward, optimizer = step.sums
    return StepRow(
        step.asked,
        step.got,
        step.stepped,
        now,
        step.cpu,
        step.waited,
        queue,
        copy,
        forward,
        backward,
        optimizer,
        step.samples,
        step.epoch,
        step.first,
        None,
        step.batch,
    )


def with_device(row: StepRow, step: Step, device: DeviceMarks) -> StepRow:
    """Return a row with the times of its phases on the device, which must have settled."""
    sums = [0.0] * PHASES
    for (phase, began), (_, ended) in pairwise(step.marks[: step.marked]):
        if phase != REST:
            sums[phase] += device.between(began, ended)
    return replace(row, device=(sums[0], sums[1], sums[2], sums[3]))
