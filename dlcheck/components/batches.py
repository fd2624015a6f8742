"""The contract between data and training: batches of tensors, in an order fixed by seed and epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

Batch = tuple[Tensor, ...]
"""Inputs first, the target last: ``*inputs, target = batch``. The first axis of each is the batch."""


@dataclass(frozen=True, slots=True)
class Share:
    """The rows of each batch that belong to one of several processes, which together take them all.

    The processes' parts lie one after another and differ by one row at most, so that together they make the batch
    that one process would take. Where a batch has fewer rows than there are processes, those that get none take its
    last row: a forward pass needs one, and ``rows`` says that it counts for nothing.
    """

    rank: int = 0
    size: int = 1

    def bounds(self, rows: int) -> tuple[int, int]:
        """Return first and behind-last row of this process's part of a batch, at least one row."""
        first, behind = self.rank * rows // self.size, (self.rank + 1) * rows // self.size
        return (first, behind) if behind > first else (rows - 1, rows)

    def rows(self, rows: int) -> int:
        """Return how many rows of a batch count for this process."""
        return (self.rank + 1) * rows // self.size - self.rank * rows // self.size


WHOLE = Share()
"""The share of a process that trains alone."""


class Batches(Protocol):
    """A split of the data as batches."""

    @property
    def samples(self) -> int:
        """Samples in one epoch."""
        ...

    def __len__(self) -> int:
        """Batches in one epoch."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from batch ``start`` on.

        The same (seed, epoch) gives the same batches, wherever it starts and however many workers load them.
        """
        ...


@runtime_checkable
class Shared(Protocol):
    """Batches of which one of several processes takes its rows alone."""

    share: Share
    batch_size: int
    samples: int
