"""The same few training steps over and over, so that rates differ in nothing but the rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dlcheck.components.batches import Batch, Batches
from dlcheck.errors import DlcheckError

MOST_BYTES = 1 << 30
"""Memory for batches kept; once it is full, those kept repeat."""


class Steps:
    """The batches of the first optimizer steps of a training, in its order, kept on the device.

    As in training, the last step of an epoch takes the batches that are left, however few. Batches of one sample are
    left out where others are larger: batch normalisation cannot train on them.
    """

    def __init__(self, batches: Batches, *, accumulate: int, place: Callable[[Batch], Batch]) -> None:
        self._source = self._read(batches, accumulate)
        self._place, self._left = place, MOST_BYTES
        self._kept: list[list[Batch]] = []
        self.full = False
        """Whether memory for batches ran out, so that those kept repeat."""

    def take(self, count: int) -> Iterator[list[Batch]]:
        """Yield the batches of ``count`` steps, the same ones at every call.

        Raises:
            DlcheckError: the data has no batches.
        """
        for place in range(count):
            if place >= len(self._kept) and not self.full:
                self._keep()
            yield self._kept[place % len(self._kept)]

    def _keep(self) -> None:
        step = [self._place(batch) for batch in next(self._source)]
        self._kept.append(step)
        self._left -= sum(tensor.nbytes for batch in step for tensor in batch)
        self.full = self._left <= 0

    def _read(self, batches: Batches, accumulate: int) -> Iterator[list[Batch]]:
        epoch = 0
        while True:
            found, waiting = False, []
            for batch in _without_singles(batches.epoch(epoch)):
                found = True
                waiting.append(batch)
                if len(waiting) == accumulate:
                    yield waiting
                    waiting = []
            if not found:
                raise DlcheckError("the training data has no batches")
            if waiting:
                yield waiting
            epoch += 1


def _without_singles(batches: Iterator[Batch]) -> Iterator[Batch]:
    largest = 0
    for batch in batches:
        largest = max(largest, len(batch[-1]))
        if len(batch[-1]) > 1 or largest == 1:
            yield batch
