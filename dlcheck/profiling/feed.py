"""Batches for a training loop of our own: as they come, or a few over and over; the meter hears of each."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import perf_counter, thread_time

import torch
from torch import Tensor

from dlcheck.components.batches import Batch
from dlcheck.errors import DlcheckError
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.recorder import Row
from dlcheck.profiling.rows import BatchRow
from dlcheck.profiling.settings import Mode
from dlcheck.profiling.stepping import COPY

SOURCE = 0
"""The one loader that there is."""


@dataclass(slots=True)
class Feed:
    """What a training takes its batches from.

    Where the processor that loads also trains, augmentation of whole batches belongs to the loading; on another device
    it belongs to the step.
    """

    epoch: Callable[[int], Iterator[Batch]]
    """The batches of an epoch, as the loader yields them."""
    place: Callable[[Batch], Batch]
    """Moves a batch to the device."""
    taken: Callable[[], Row | None]
    """Returns the stamps of the batch that came last."""
    host: bool
    """The device is the processor itself."""
    mode: Mode = "whole"
    kept: int = 4
    augment: Callable[[Tensor], Tensor] | None = None
    release: Callable[[], None] = lambda: None
    """Ends the loader's workers, which are not needed once batches are kept."""
    batch_bytes: int | None = None
    pinned: bool | None = None
    pids: tuple[int, ...] = ()
    """Of the processes that made batches."""
    worker_threads: int | None = None
    """The most that a worker was seen to have for its own operations."""

    def epochs(self, meter: Meter) -> Iterator[Iterator[Batch]]:
        """Yield the batches of one epoch after the other, without end.

        Raises:
            DlcheckError: there are none.
        """
        if self.mode in ("ideal", "copied"):
            kept = self._keep()
            meter.active = True
            while True:
                yield self._again(kept, meter)
        meter.untrained = self.mode == "loader"
        meter.active = True
        for epoch in itertools.count():
            yield self._batches(epoch, meter)

    def _batches(self, epoch: int, meter: Meter) -> Iterator[Batch]:
        meter.begin_epoch(SOURCE)
        loader = iter(self.epoch(epoch))
        for number in itertools.count():
            meter.ask(SOURCE)
            drawn = self._drawn(loader)
            if drawn is None:
                meter.exhausted(SOURCE)
                if not number:
                    raise DlcheckError("the training data has no batches")
                return
            batch, row = drawn
            meter.got(len(batch[-1]), row)
            yield batch if meter.untrained else self._placed(batch, meter)

    def _drawn(self, loader: Iterator[Batch]) -> tuple[Batch, BatchRow] | None:
        """Return the next batch and the times of its making; None at the end."""
        began, cpu = perf_counter(), thread_time()
        batch = next(loader, None)
        if batch is None:
            return None
        fetched, told = perf_counter(), self.taken()
        if told is None:
            row = BatchRow(os.getpid(), began, fetched, fetched, fetch_cpu=thread_time() - cpu)
        else:
            row = BatchRow(*told)
            if row.pid not in self.pids:
                self.pids = (*self.pids, row.pid)
        if self.batch_bytes is None:
            self._look_at(batch)
        if not self.host:
            return batch, row
        batch = self.place(batch)
        if self.augment is not None:
            batch = (self.augment(batch[0]), *batch[1:])
            ready = perf_counter()
            own = row.pid == os.getpid()
            row = replace(row, augment=row.augment + ready - fetched, ready=ready if own else row.ready)
        return batch, row

    def _placed(self, batch: Batch, meter: Meter) -> Batch:
        if self.host:
            return batch
        meter.begin(COPY)
        batch = self.place(batch)
        meter.end(COPY)
        return self._augmented(batch)

    def _augmented(self, batch: Batch) -> Batch:
        return batch if self.augment is None else (self.augment(batch[0]), *batch[1:])

    def _look_at(self, batch: Batch) -> None:
        self.batch_bytes = sum(tensor.nbytes for tensor in batch)
        if not self.host and batch[0].device.type == "cpu":
            self.pinned = batch[0].is_pinned()

    def _keep(self) -> list[Batch]:
        """Return a few batches, in the host's memory or on the device."""
        loader = iter(self.epoch(0))
        drawn = list(itertools.takewhile(bool, (self._drawn(loader) for _ in range(self.kept))))
        kept = [one[0] for one in drawn if one is not None]
        if not kept:
            raise DlcheckError("the training data has no batches")
        close = getattr(loader, "close", None)
        if close is not None:
            close()
        self.release()
        if self.mode == "ideal" and not self.host:
            kept = [self.place(batch) for batch in kept]
            torch.cuda.synchronize()
        return kept

    def _again(self, kept: list[Batch], meter: Meter) -> Iterator[Batch]:
        """Yield the same batches over and over."""
        meter.begin_epoch(SOURCE)
        for batch in itertools.cycle(kept):
            meter.ask(SOURCE)
            meter.got(len(batch[-1]))
            if self.host:
                yield batch
            else:
                yield self._placed(batch, meter) if self.mode == "copied" else self._augmented(batch)
