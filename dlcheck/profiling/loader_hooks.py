"""Hooks on PyTorch's ``DataLoader``: its settings overridden, its batches stamped, its requests told to a meter."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Sized
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset

from dlcheck.profiling.drawing import Drawn
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.named import time_transforms
from dlcheck.profiling.overriding import loader_arguments
from dlcheck.profiling.recorder import Row
from dlcheck.profiling.settings import TrialSettings
from dlcheck.profiling.stamps import StampedCollate, StampedData, StampedStream
from dlcheck.runs.facts import Site
from dlcheck.watching.patching import Function, Patches
from dlcheck.watching.place import user_site


@dataclass(slots=True)
class LoaderFacts:
    """What is known of one loader."""

    source: int
    """Its number."""
    workers: int = 0
    batch_size: int | None = None
    prefetch: int | None = None
    pin_memory: bool = False
    persistent: bool = False
    in_order: bool = True
    start_method: str = ""
    dataset: Any = None
    collate: Any = None
    samples: int | None = None
    batches: int | None = None
    """Of an epoch."""
    site: Site | None = None
    stamped: bool = False
    note: str = ""
    transforms: tuple[str, ...] = ()
    batch_bytes: int | None = None
    pinned: bool | None = None
    pids: tuple[int, ...] = ()
    """Of the processes that made batches."""
    worker_threads: int | None = None
    """The most that a worker was seen to have for its own operations."""


class LoaderHooks:
    """Hooks on ``DataLoader`` in this process, for as long as it lives."""

    def __init__(self, settings: TrialSettings) -> None:
        self.settings = settings
        self.meter: Meter | None = None
        """Hears of requests for batches, unless ``passive``."""
        self.passive = False
        """Somebody else tells the meter of requests; batches are stamped all the same."""
        self.latest: Row | None = None
        """Stamps of the batch that came last."""
        self.transforms: tuple[str, ...] = ()
        self.known: list[LoaderFacts] = []
        self.on_first_loader: Callable[[], None] | None = None
        """Called once, when a loader is iterated."""
        self._patches = Patches()
        self._facts: weakref.WeakKeyDictionary[Any, LoaderFacts] = weakref.WeakKeyDictionary()
        self._sites: weakref.WeakKeyDictionary[Any, Site | None] = weakref.WeakKeyDictionary()

    def install(self, *, iterators: bool = True) -> None:
        """Put the hooks in; without ``iterators`` only what loaders are built with is changed."""
        self._patches.replace(DataLoader, "__init__", self._built)
        if iterators:
            self._patches.replace(DataLoader, "__iter__", self._iterated)

    def remove(self) -> None:
        """Take them out again."""
        self._patches.undo()

    def taken(self) -> Row | None:
        """Return the stamps of the batch that came last, once."""
        row, self.latest = self.latest, None
        return row

    def time_transforms(self, dataset: Any) -> tuple[str, ...]:
        """Let the named transforms of a data set be timed."""
        names = time_transforms(dataset)
        self.transforms = tuple(dict.fromkeys((*self.transforms, *names)))
        return names

    def training(self) -> LoaderFacts | None:
        """Return the loader whose batches are trained on; None before any."""
        trained = self.meter.trained if self.meter is not None else set()
        return next((facts for facts in self.known if facts.source in trained), None)

    def _built(self, original: Function) -> Function:
        signature = inspect.signature(original)

        def __init__(loader: DataLoader[Any], *args: Any, **named: Any) -> None:
            bound = signature.bind(loader, *args, **named)
            original(**loader_arguments(bound.arguments, self.settings.loader))
            self._sites[loader] = user_site()

        return __init__

    def _iterated(self, original: Function) -> Function:
        def __iter__(loader: DataLoader[Any]) -> Iterator[Any]:
            facts = self.facts(loader)
            meter = None if self.passive else self.meter
            if meter is not None:
                meter.begin_epoch(facts.source)
            return Drawn(self, facts, meter, begin=lambda: self.begin(loader, original), end=lambda: release(loader))

        return __iter__

    def begin(self, loader: DataLoader[Any], original: Function) -> Iterator[Any]:
        """Return a loader's own iterator, from its beginning, with stamps on its batches.

        The loader is as it was once this returns, so code that asks for its data set finds it.
        """
        held = vars(loader)
        dataset, collate = held.get("dataset"), held.get("collate_fn")
        if dataset is None or collate is None:  # a class of its own that keeps them elsewhere
            iterator: Iterator[Any] = original(loader)
            return iterator
        stream = isinstance(dataset, IterableDataset)
        held["dataset"] = StampedStream(dataset) if stream else StampedData(dataset)
        held["collate_fn"] = StampedCollate(collate)
        try:
            iterator = original(loader)
        finally:
            held["dataset"], held["collate_fn"] = dataset, collate
        return iterator

    def facts(self, loader: DataLoader[Any]) -> LoaderFacts:
        """Return what is known of a loader."""
        found = self._facts.get(loader)
        if found is None:
            if self.on_first_loader is not None:
                self.on_first_loader()
                self.on_first_loader = None
            found = self._facts[loader] = self._again(loader) or self._new(loader)
        return found

    def _again(self, loader: DataLoader[Any]) -> LoaderFacts | None:
        """Return the facts of an earlier loader from the same line: some scripts build one for every epoch."""
        site = self._sites.get(loader)
        for one in self.known:
            if site is not None and one.site == site and one.dataset is loader.dataset:
                return one
        return None

    def _new(self, loader: DataLoader[Any]) -> LoaderFacts:
        held = vars(loader)
        stamped = held.get("dataset") is not None and held.get("collate_fn") is not None
        facts = LoaderFacts(
            source=len(self.known) + 1,
            workers=loader.num_workers,
            batch_size=loader.batch_size,
            prefetch=loader.prefetch_factor,
            pin_memory=loader.pin_memory,
            persistent=loader.persistent_workers,
            in_order=getattr(loader, "in_order", True),
            start_method=_start_method(loader),
            dataset=loader.dataset,
            collate=loader.collate_fn,
            samples=len(loader.dataset) if isinstance(loader.dataset, Sized) else None,
            batches=_length(loader),
            site=self._sites.get(loader),
            stamped=stamped,
            note="" if stamped else f"{type(loader).__name__} keeps its data set in a way of its own",
            transforms=self.time_transforms(loader.dataset),
        )
        self.known.append(facts)
        return facts


def release(loader: Any) -> None:
    """Let go of an iterator that a loader keeps for its next epoch, so that its workers end."""
    if vars(loader).get("_iterator") is not None:
        loader._iterator = None


def _start_method(loader: DataLoader[Any]) -> str:
    context = loader.multiprocessing_context
    name = getattr(context, "get_start_method", torch.multiprocessing.get_start_method)()
    return str(name)


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except (TypeError, NotImplementedError):  # a stream without a length
        return None
