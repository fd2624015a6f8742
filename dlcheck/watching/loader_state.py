"""What is known of one source of batches: a data loader, or tensors that a script slices itself."""

from __future__ import annotations

import weakref
from collections.abc import Sized
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from dlcheck.runs.facts import Site
from dlcheck.watching.batches import Prints

MOST_ROWS = 50_000
"""Rows whose labels and fingerprints are kept for one pass over a source."""
PASSES = 2


@dataclass(slots=True)
class Pass:
    """The rows seen in one pass, in their order."""

    labels: list[NDArray[np.float64]] = field(default_factory=list)
    prints: list[Prints] = field(default_factory=list)
    rows: int = 0
    printed: int = 0
    ended: bool = False

    def all_labels(self) -> NDArray[np.float64]:
        """Return the labels as one array."""
        return np.concatenate(self.labels) if self.labels else np.empty(0)

    def all_prints(self) -> Prints:
        """Return the fingerprints as one array."""
        return np.concatenate(self.prints) if self.prints else np.empty(0, np.int64)


@dataclass(slots=True)
class Block:
    """One evaluation: the passes over a source between two training steps."""

    loss: float = 0.0
    weight: float = 0.0
    right: float = 0.0
    judged: int = 0
    step: int = 0


@dataclass(slots=True)
class Source:
    """One loader and what came of its batches."""

    name: str
    loader: weakref.ref[Any] | None = None
    site: Site | None = None
    shuffled: bool | None = None
    evened: bool = False
    """Its sampler draws classes with weights."""
    streaming: bool = False
    workers: int = 0
    key: object = None
    """Equal for sources that read the same stored rows."""
    indices: NDArray[np.int64] | None = None
    """Rows of these that it reads; None: all."""
    batches_per_pass: int | None = None
    batch_size: int | None = None
    begun: int = 0
    """Passes begun."""
    batches: int = 0
    trained: int = 0
    """Batches that reached a backward pass."""
    forwards: int = 0
    """Forward passes of a model, not counting those that trained."""
    in_train_mode: int = 0
    modes: dict[str, str] = field(default_factory=dict)
    """Modules found in training mode then, and their kind."""
    only_batchnorm: bool = True
    repeated: int = 0
    forward_site: Site | None = None
    passes: list[Pass] = field(default_factory=list)
    block: Block = field(default_factory=Block)
    first_input: Any = None
    """A copy of the first batch of the first pass, where it is small."""
    difference: float = 0.0
    """Largest difference of the first batch of the second pass from it."""

    @property
    def current(self) -> Pass | None:
        """The pass under way; None after the first two."""
        return self.passes[-1] if 0 < self.begun <= PASSES and self.passes else None

    def begin(self) -> None:
        """Start a new pass."""
        self.begun += 1
        if self.begun <= PASSES:
            self.passes.append(Pass())


def source_of(loader: DataLoader[Any], number: int, site: Site | None) -> Source:
    """Return a new source that describes a data loader."""
    source = Source(f"loader {number}", weakref.ref(loader), site)
    source.workers, source.batch_size = loader.num_workers, loader.batch_size
    source.streaming = isinstance(loader.dataset, IterableDataset)
    sampler = getattr(loader.batch_sampler, "sampler", loader.sampler)
    source.evened = isinstance(sampler, WeightedRandomSampler)
    source.shuffled = None if source.streaming else _shuffled(sampler)
    source.batches_per_pass = _length(loader)
    source.key, source.indices = _stored(loader.dataset)
    if isinstance(sampler, SubsetRandomSampler):
        chosen = np.asarray(list(sampler.indices), dtype=np.int64)
        source.indices = chosen if source.indices is None else source.indices[chosen]
    return source


def _shuffled(sampler: object) -> bool | None:
    if isinstance(sampler, SequentialSampler):
        return False
    if isinstance(sampler, RandomSampler | SubsetRandomSampler | WeightedRandomSampler):
        return True
    told = getattr(sampler, "shuffle", None)  # DistributedSampler and many of others'
    return told if isinstance(told, bool) else None


def _length(loader: Any) -> int | None:
    try:
        return len(loader)
    except TypeError:  # a stream without a length
        return None


def _stored(dataset: Any) -> tuple[object, NDArray[np.int64] | None]:
    """Return what tells a store of rows from another, and the rows of it that a data set reads."""
    chosen: NDArray[np.int64] | None = None
    while isinstance(dataset, Subset):
        own = np.asarray(list(dataset.indices), dtype=np.int64)
        chosen = own if chosen is None else own[chosen]
        dataset = dataset.dataset
    if isinstance(dataset, TensorDataset) and dataset.tensors:
        first = dataset.tensors[0]
        return ("tensor", first.data_ptr(), tuple(first.shape), tuple(first.stride())), chosen
    told = getattr(dataset, "__dict__", {}).get("_fingerprint")  # of Hugging Face: views are built anew for each use
    name = told if isinstance(told, str) else id(dataset)
    return ("data set", name, type(dataset).__name__, len(dataset) if isinstance(dataset, Sized) else 0), chosen
