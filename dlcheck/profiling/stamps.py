"""Stamps that a batch brings along from the process that made it.

A data set and its ``collate_fn`` are wrapped while a loader hands them to its workers. The wrappers pickle, pass on
every attribute, and put each batch into a carrier with the times of its making, which the main process takes off
again. Nothing else is sent, so it works with every start method and number of workers, and each record belongs to
its batch.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter, thread_time
from typing import Any

from dlcheck.profiling.rows import BatchRow
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


def opened(item: Any) -> tuple[Any, BatchRow | None]:
    """Return what a carrier holds; what is none comes back as it is."""
    if type(item) is Stamped:
        return item.batch, BatchRow(*item.row)
    return item, None


class StampedData:
    """Stands for a data set of the map style, and passes on every attribute, both ways."""

    __slots__ = ("_dlcheck_inner",)

    def __init__(self, inner: Any) -> None:
        object.__setattr__(self, "_dlcheck_inner", inner)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The inner class, for code of a worker that asks what its data set is."""
        return type(self._dlcheck_inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_dlcheck_inner"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._dlcheck_inner, name, value)  # as a ``worker_init_fn`` that gives each worker its share

    def __delattr__(self, name: str) -> None:
        delattr(self._dlcheck_inner, name)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, tuple[Any]]:
        return type(self), (self._dlcheck_inner,)

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


class LoaderProbe:
    """Stamps the batches of a recipe's own loader; a ``components.data.loader_batches.Probe``."""

    def __init__(self) -> None:
        self._row: BatchRow | None = None
        self._last = self._collated = 0.0

    def begin(self) -> None:
        """The samples of a batch are about to be fetched."""
        RECORDER.begin()
        self._last = perf_counter()

    def fetched_one(self) -> None:
        """A sample is there."""
        now = perf_counter()
        RECORDER.items.append(now - self._last)
        self._last = now

    def fetched(self) -> None:
        """All samples are there."""
        RECORDER.fetched()

    def collated(self) -> None:
        """They are one batch, which is about to be transformed."""
        self._collated = perf_counter()

    def carry(self, batch: Any) -> Stamped:
        """Return the batch with its stamps."""
        return Stamped(batch, RECORDER.ready(perf_counter() - self._collated))

    def arrived(self, item: Any) -> Any:
        """Return the batch, and keep its stamps."""
        batch, self._row = opened(item)
        return batch

    def taken(self) -> BatchRow | None:
        """Return the stamps of the batch that came last, once."""
        row, self._row = self._row, None
        return row
