"""Stamps that a batch brings along from the process that made it.

A data set and its ``collate_fn`` are wrapped while a loader hands them to its workers. The wrappers pickle, pass on
every attribute, and put each batch into a carrier with the times of its making, which the main process takes off
again. Nothing else is sent, so it works with every start method and number of workers, and each record belongs to
its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from dlcheck.profiling.recorder import RECORDER, Row
from dlcheck.profiling.stand_in import StandIn


class Stamped:
    """Carries a batch and the times of its making. No tuple: PyTorch would rebuild one when it pins memory."""

    __slots__ = ("batch", "row")

    def __init__(self, batch: Any, row: Row) -> None:
        self.batch, self.row = batch, row

    def __reduce__(self) -> tuple[type[Stamped], tuple[Any, Row]]:
        return Stamped, (self.batch, self.row)

    def pin_memory(self) -> Stamped:
        """Return the same with the batch in page-locked memory, as the loader asks it to."""
        from torch.utils.data._utils.pin_memory import pin_memory

        return Stamped(pin_memory(self.batch), self.row)  # type: ignore[no-untyped-call]


def opened(item: Any) -> tuple[Any, Row | None]:
    """Return what a carrier holds; what is none comes back as it is."""
    if type(item) is Stamped:
        return item.batch, item.row
    return item, None


class StampedData(StandIn):
    """Stands for a data set of the map style."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._dlcheck_inner)

    def __getitem__(self, index: Any) -> Any:
        """Return what is a whole batch to a loader that does not batch."""
        RECORDER.begin()
        return self._dlcheck_inner[index]

    def __getitems__(self, indices: Any) -> Any:
        """Return the samples of a batch, each one timed where the data set gives them one by one."""
        inner = self._dlcheck_inner
        RECORDER.begin()
        if _whole(inner):
            return inner.__getitems__(indices)
        samples, took = [], []
        last = perf_counter()
        for index in indices:
            samples.append(inner[index])
            now = perf_counter()
            took.append(now - last)
            last = now
        RECORDER.items = took
        return samples


def _whole(dataset: Any) -> bool:
    """Return whether a data set gets the samples of a batch at once; PyTorch's ``Subset`` does what is in it does."""
    while type(dataset).__name__ == "Subset" and type(dataset).__module__ == "torch.utils.data.dataset":
        dataset = dataset.dataset
    return callable(getattr(dataset, "__getitems__", None))


class StampedStream(StampedData):
    """Stands for an iterable data set."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return _Stream(iter(self._dlcheck_inner))


class _Stream:
    """The samples of a stream, timed one by one; those since the last collated batch belong to the next."""

    def __init__(self, samples: Iterator[Any]) -> None:
        self._samples = samples
        RECORDER.begun = False  # the stream before may have ended within a batch

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> Any:
        if not RECORDER.begun:
            RECORDER.begin()
        last = perf_counter()
        sample = next(self._samples)
        RECORDER.items.append(perf_counter() - last)
        return sample


class StampedCollate:
    """Stands for a ``collate_fn``, and puts what it returns into a carrier."""

    def __init__(self, inner: Callable[[Any], Any]) -> None:
        self.inner = inner

    def __call__(self, samples: Any) -> Stamped:
        """Collate samples, and stamp the batch."""
        RECORDER.fetched()
        batch = self.inner(samples)
        return Stamped(batch, RECORDER.ready())

    def __getattr__(self, name: str) -> Any:
        if name == "inner":
            raise AttributeError(name)  # asked for while it is unpickled
        return getattr(self.inner, name)
