"""The contract between data and training: batches of tensors, in an order fixed by seed and epoch."""

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor

Batch = tuple[Tensor, ...]
"""Inputs first, the target last: ``*inputs, target = batch``. The first axis of each is the batch."""


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
