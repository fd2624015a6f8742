"""Batches loaded sample by sample through PyTorch's DataLoader."""

import os
import random
import signal
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from dlcheck.components.batches import WHOLE, Batch, Share
from dlcheck.components.data.order import batch_count, epoch_order, seed_of
from dlcheck.errors import DlcheckError, one_line

Key = tuple[int, int]
"""Epoch and index of a sample: all that its random augmentation may depend on."""


class MapStyle(Protocol):
    """What PyTorch calls a map-style data set."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def __getitem__(self, index: int, /) -> Any:
        """Return one sample: inputs first, the target last."""
        ...


class Probe(Protocol):
    """Times the making of batches; it is sent to the workers, so it must pickle."""

    def begin(self) -> None:
        """The samples of a batch are about to be fetched."""

    def fetched_one(self) -> None:
        """A sample is there."""

    def fetched(self) -> None:
        """All samples are there."""

    def collated(self) -> None:
        """They are one batch, which is about to be transformed."""

    def carry(self, batch: Batch) -> Any:
        """Return what the worker sends in place of the batch."""

    def arrived(self, item: Any) -> Any:
        """Return the batch that was sent; called in the main process."""


@dataclass(frozen=True, slots=True)
class LoaderSettings:
    """How the DataLoader fetches."""

    workers: int = 0
    pin_memory: bool = False
    prefetch: int = 2


class LoaderBatches:
    """A split whose samples are fetched one by one, in this process or in workers.

    The same (seed, epoch) gives the same batches, bit for bit, whatever the number of workers: each sample is
    fetched with the random generators seeded by (seed, epoch, index). ``transform`` sees collated batches.
    """

    def __init__(
        self,
        dataset: MapStyle,
        batch_size: int | None,
        *,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        transform: Callable[[Batch], Batch] | None = None,
        settings: LoaderSettings | None = None,
    ) -> None:
        self.samples = len(dataset)
        self.batch_size = min(batch_size or self.samples, self.samples)
        self.drop_last = drop_last
        self.dataset, self.seed, self.shuffle, self.transform = dataset, seed, shuffle, transform
        self.share: Share = WHOLE
        """The part of each batch that is this process's."""
        self._sampler = _EpochSampler(self, seed, shuffle)
        settings = settings or LoaderSettings()
        self.workers, self.settings = settings.workers, settings
        self._fetch = _Fetch(dataset, seed, transform)
        loader = DataLoader(
            self._fetch,
            batch_sampler=cast(Sampler[list[int]], self._sampler),
            collate_fn=_as_it_is,
            num_workers=settings.workers,
            pin_memory=settings.pin_memory,
            prefetch_factor=settings.prefetch if settings.workers else None,
            persistent_workers=settings.workers > 0,
            worker_init_fn=_wait_for_parent,
            # The loader draws a seed for its workers; from the global generator that would shift dropout.
            generator=torch.Generator(),
        )
        self._loader = [loader]
        # Left to the garbage collector in a cycle of references, workers took ten seconds to end; released
        # before the cycle is broken up, they end at once.
        weakref.finalize(self, self._loader.clear)

    def __len__(self) -> int:
        return batch_count(self.samples, self.batch_size, self.drop_last)

    def watch(self, probe: Probe) -> None:
        """Let a probe time the making of batches, from the next start of workers on."""
        self._fetch.probe = probe

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from batch ``start`` on, without fetching the skipped ones.

        Raises:
            DlcheckError: a sample cannot be read, in a worker or here.
        """
        self._sampler.epoch, self._sampler.start, self._sampler.share = epoch, start, self.share
        probe = self._fetch.probe
        for fetched in self._loader[0]:
            if probe is not None:
                fetched = probe.arrived(fetched)
            if isinstance(fetched, DlcheckError):
                raise fetched
            yield tuple(fetched)


class _EpochSampler(Sampler[list[Key]]):
    """Lists of keys, a list a batch; runs in the main process, so persistent workers see each new epoch."""

    def __init__(self, owner: LoaderBatches, seed: int, shuffle: bool) -> None:
        self.samples, self.batch_size = owner.samples, owner.batch_size
        self.batches = batch_count(owner.samples, owner.batch_size, owner.drop_last)
        self.seed, self.shuffle = seed, shuffle
        self.epoch = 0
        self.start = 0
        self.share = WHOLE

    def __len__(self) -> int:
        return max(0, self.batches - self.start)

    def __iter__(self) -> Iterator[list[Key]]:
        epoch = self.epoch
        order = epoch_order(self.samples, self.seed, epoch, shuffle=self.shuffle).tolist()
        for batch in range(self.start, self.batches):
            whole = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield [(epoch, i) for i in whole[slice(*self.share.bounds(len(whole)))]]


class _Fetch(Dataset[Any]):
    """Fetches and collates a batch of keys; bad input comes back as a value.

    An exception raised in a worker would reach the main process with the worker's traceback as its message.
    """

    def __init__(self, dataset: MapStyle, seed: int, transform: Callable[[Batch], Batch] | None) -> None:
        self.dataset, self.seed, self.transform = dataset, seed, transform
        self.probe: Probe | None = None

    def __getitems__(self, keys: list[Key]) -> Any:
        probe = self.probe
        if probe is not None:
            probe.begin()
        try:
            samples = [self._sample(key) for key in keys]
        except DlcheckError as error:
            return error
        if probe is not None:
            probe.fetched()
        try:
            batch: Batch = tuple(default_collate(samples))
        except (RuntimeError, TypeError) as error:
            return DlcheckError(f"samples {keys[0][1]}, … do not fit into one batch: {one_line(error, 200)}")
        if probe is not None:
            probe.collated()
        batch = batch if self.transform is None else self.transform(batch)
        return batch if probe is None else probe.carry(batch)

    def _sample(self, key: Key) -> Any:
        epoch, index = key
        with seeded(seed_of(self.seed, epoch, index)):
            sample = self.dataset[index]
        if self.probe is not None:
            self.probe.fetched_one()
        return sample


def _wait_for_parent(worker: int) -> None:
    """Let a worker outlive the SIGTERM that a scheduler sends to every process: its training needs it to end well.

    The next one, which is the training's own to a worker that does not end by itself, counts.
    """
    del worker

    def once(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, once)


def _as_it_is(batch: Any) -> Any:
    return batch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed PyTorch's, NumPy's and Python's generators on the CPU, and put them back afterwards."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % (1 << 32))
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def choose_workers(setting: int | str, samples: int) -> int:
    """Return the number of workers: none for fewer than 1,000 samples, else one a core, at most 4."""
    if isinstance(setting, int):
        return setting
    if samples < 1000:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 4)
