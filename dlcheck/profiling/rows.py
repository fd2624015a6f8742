"""What is recorded of each step and of each batch, before anything is concluded from it.

All moments are of ``time.perf_counter``, which is one clock for all processes of a machine (CLOCK_MONOTONIC on Linux).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchRow:
    """The making of one batch, as the process that made it timed it. Seconds."""

    pid: int
    began: float
    fetched: float
    """Moment at which all samples were there."""
    ready: float
    """Moment at which the batch was collated, and transformed as a whole where the loader does that."""
    fetch_cpu: float = 0.0
    fetch_queue: float = 0.0
    """Waiting for a core."""
    collate: float = 0.0
    collate_cpu: float = 0.0
    collate_queue: float = 0.0
    augment: float = 0.0
    """Transforms of the whole batch, within ``fetched`` to ``ready``."""
    items: int = 0
    longest: float = 0.0
    """The slowest sample."""
    slow: float = 0.0
    """Sum of the samples that took more than 8 times the median of this process so far."""
    median: float = 0.0
    """Of a sample."""
    transforms: tuple[tuple[str, float], ...] = ()
    """Name and seconds, summed over the batch."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of the training loop. Seconds.

    ``copy``, ``forward``, ``backward`` and ``optimizer`` are times of the host; ``device`` holds the same four as
    events on the device saw them, where there are any.
    """

    asked: float
    got: float
    stepped: float
    """Moment at which the optimizer's step ended."""
    ended: float
    """Moment of the next request for a batch."""
    next_cpu: float
    """Of the main thread between ``asked`` and ``got``."""
    next_queue: float
    """Of the main thread waiting for a core between ``asked`` and ``got``."""
    queue: float
    """The same over the whole step."""
    copy: float
    forward: float
    backward: float
    optimizer: float
    samples: int
    epoch: int
    """Counted from 0, as the loader began them."""
    first: bool
    """The first batch of its epoch."""
    device: tuple[float, float, float, float] | None = None
    batch: BatchRow | None = None

    @property
    def period(self) -> float:
        """Return the whole length of the step."""
        return self.ended - self.asked

    @property
    def take(self) -> float:
        """Return the main process's own work for the batch."""
        return min(self.got - self.asked, self.next_cpu)

    @property
    def wait(self) -> float:
        """Return the time for which the batch was not there; waiting for a core counts as well."""
        return self.got - self.asked - self.take

    @property
    def inside(self) -> float:
        """Return what is left between the batch and the end of the optimizer's step."""
        return self.stepped - self.got - self.copy - self.forward - self.backward - self.optimizer

    @property
    def outside(self) -> float:
        """Return the time from the end of the optimizer's step to the next request."""
        return self.ended - self.stepped
