"""A step while it is made, and the row that it becomes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Protocol

from dlcheck.profiling.recorder import Row
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
    """A step, under way or made. What it starts with stands in the class: most of it is never set otherwise."""

    asked = got = stepped = ended = 0.0
    cpu_asked = queue_asked = queue = 0.0
    cpu = waited = 0.0
    """Of the main thread, from request to batch: on a core, and waiting for one."""
    trained = False
    """A backward pass or an optimizer's step belongs to it."""
    samples = 0
    batch: Row | BatchRow | None = None
    loss: Any = None
    marked = 0
    """Of ``marks``, how many were made up to ``stepped``."""
    sums: list[float] | tuple[float, ...] = (0.0,) * PHASES
    """Of phases up to ``stepped``."""

    def __init__(self, source: int, epoch: int, first: bool) -> None:
        self.source, self.epoch, self.first = source, epoch, first
        self.spent = [0.0] * PHASES
        """Of phases up to now."""
        self.marks: list[tuple[int, Any]] = []
        """Phase that begins, and the moment on the device."""


def row_of(step: Step) -> StepRow:
    """Return the row of a step that was made. That takes a while, so it is for later, when nobody is timed."""
    batch = BatchRow(*step.batch) if isinstance(step.batch, tuple) else step.batch
    copy, forward, backward, optimizer = step.sums
    return StepRow(
        step.asked,
        step.got,
        step.stepped,
        step.ended,
        step.cpu,
        step.waited,
        step.queue,
        copy,
        forward,
        backward,
        optimizer,
        step.samples,
        step.epoch,
        step.first,
        None,
        batch,
    )


def with_device(row: StepRow, step: Step, device: DeviceMarks) -> StepRow:
    """Return a row with the times of its phases on the device, which must have settled."""
    sums = [0.0] * PHASES
    for (phase, began), (_, ended) in pairwise(step.marks[: step.marked]):
        if phase != REST:
            sums[phase] += device.between(began, ended)
    return replace(row, device=(sums[0], sums[1], sums[2], sums[3]))
