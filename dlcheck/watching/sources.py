"""All sources of batches: what each holds, and what they have in common."""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from dlcheck.rules.statistics import runs_of
from dlcheck.runs.facts import ClassBalance, LabelOrder, SplitOverlap, ValidationRepeat
from dlcheck.watching.account import Account
from dlcheck.watching.batches import fingerprints, first_tensor, flat_labels, labels_of
from dlcheck.watching.inputs import Inputs
from dlcheck.watching.loader_state import MOST_ROWS, Source, source_of
from dlcheck.watching.place import user_site

MOST_CLASSES = 1000
KEEP_NUMBERS = 1 << 18
"""A first batch with more numbers is not kept for comparison."""
EXAMPLES = 10
FEW_LABELS = 30
"""Labels below which their order says nothing."""


@dataclass(slots=True)
class _Latest:
    """The batch that came last."""

    source: Source
    rows: weakref.ref[Tensor] | None
    count: int
    ahead: bool
    """It came before the one before it was used."""
    ended: bool = False
    """Its loader has no more."""

    @classmethod
    def of(cls, source: Source, batch: object, *, ahead: bool) -> _Latest:
        rows = first_tensor(batch)
        return cls(source, None if rows is None else weakref.ref(rows), 0 if rows is None else len(rows), ahead)

    def holds(self, rows: Tensor | None) -> bool:
        """Return whether these rows are the batch's, or its copy on another device."""
        if rows is None or len(rows) != self.count:
            return False
        if rows.device.type != "cpu":
            return self.ahead
        own = self.rows() if self.rows is not None else None
        return own is not None and own.untyped_storage().data_ptr() == rows.untyped_storage().data_ptr()


class Sources:
    """Follows data loaders, and the two sources of a script that slices tensors itself: trained on, or not."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._loaders: weakref.WeakKeyDictionary[Any, Source] = weakref.WeakKeyDictionary()
        self._iterators: weakref.WeakKeyDictionary[Any, Source] = weakref.WeakKeyDictionary()
        self.all: list[Source] = []
        self.inputs: dict[int, Inputs] = {}
        self.current: Source | None = None
        self._latest: _Latest | None = None
        self._unused = 0
        """Batches that came since a model was last called."""
        self._own: dict[bool, Source] = {}

    def begins(self, loader: DataLoader[Any], iterator: Any) -> Source:
        """Take note that a loader is iterated from its beginning."""
        source = self._loaders.get(loader)
        if source is None:
            made = source_of(loader, len(self.all) + 1, user_site(5))
            source = self._again(made) or made
            self._loaders[loader] = source
            if source is made:
                self.all.append(source)
        source.begin()
        self._iterators[iterator] = source
        self._latest, self._unused = None, 0
        return source

    def _again(self, made: Source) -> Source | None:
        """Return the source of an earlier loader that read the same rows: some scripts build one for every epoch.

        While the earlier loader lives, which may be for good where somebody collects them, it must be one that was
        evaluated alone: several loaders of the same rows may take part in one training.
        """
        for one in self.all:
            if one.loader is None or one.key != made.key or not _equal(one.indices, made.indices):
                continue
            alike = (one.shuffled, one.batch_size) == (made.shuffled, made.batch_size)
            gone, evaluated = one.loader() is None, bool(one.forwards) and not one.trained
            if one.site == made.site if gone else evaluated and alike:
                return one
        return None

    def came(self, iterator: Any, batch: object, step: int) -> Source | None:
        """Take note of a batch, and look into it while there is time for it."""
        source = self._iterators.get(iterator)
        if source is None:
            return None
        self.current = source
        self._latest = _Latest.of(source, batch, ahead=self._unused > 0)
        self._unused += 1
        source.batches += 1
        if source.current is None:
            return source
        self.look(source, first_tensor(batch), labels_of(batch), step)
        return source

    def ended(self, iterator: Any) -> Source | None:
        """Take note that a loader has no more batches."""
        source = self._iterators.get(iterator)
        if source is not None and source.current is not None:
            source.current.ended = True
        if self._latest is not None and self._latest.source is source:
            self._latest.ended, self._latest.ahead = True, self._latest.ahead or self._unused > 0
        self.current = None
        return source

    def called_on(self, rows: Tensor | None) -> Source | None:
        """Return whose batch a model is called on now; None where no loader is known to have yielded it.

        Wrappers of loaders that fetch one batch ahead, to know which is the last, end before that one is used.
        """
        self._unused = 0
        if self._latest is not None and self._latest.ended:
            self.current = self._latest.source if self._latest.holds(rows) else None
            if self.current is None:
                self._latest = None
        return self.current

    def own(self, training: bool) -> Source:
        """Return the source that stands for tensors which the script slices itself."""
        source = self._own.get(training)
        if source is None:
            source = self._own[training] = Source("training tensors" if training else "other tensors")
            source.begin()
            self.all.append(source)
        return source

    def look(self, source: Source, rows: Tensor | None, labels: Tensor | None, step: int) -> None:
        """Look at the rows of a batch: their numbers, labels and fingerprints."""
        now = source.current
        inputs = self.inputs.setdefault(id(source), Inputs())
        if rows is None or now is None or not self._account.open():
            return
        with self._account:
            inputs.look(rows, step, source.site)
            if now.rows < MOST_ROWS:
                self._remember(source, rows, labels)

    def _remember(self, source: Source, rows: Tensor, labels: Tensor | None) -> None:
        now = source.passes[-1]
        if not now.rows:
            self._compare(source, rows)
        now.rows += len(rows)
        flat = flat_labels(labels, len(rows))
        if flat is not None:
            now.labels.append(flat)
        prints = fingerprints(rows)
        if prints is not None:
            now.prints.append(prints)
            now.printed += len(prints)

    def _compare(self, source: Source, rows: Tensor) -> None:
        """Keep the first batch of the first pass, and compare with it that of the second."""
        if rows.numel() > KEEP_NUMBERS or not rows.is_floating_point() or rows.device.type != "cpu":
            return
        if source.begun == 1:
            source.first_input = rows.detach().clone()
        elif isinstance(source.first_input, Tensor) and source.first_input.shape == rows.shape:
            spread = float(source.first_input.std()) or 1.0
            source.difference = float((rows.detach() - source.first_input).abs().max()) / spread

    @property
    def training(self) -> Source | None:
        """The source most of whose batches were trained on; None before any."""
        return max((one for one in self.all if one.trained), key=lambda one: one.trained, default=None)

    def split(self, source: Source) -> str:
        """Return what a source that is evaluated stands for: by its rows, then by the order of appearance."""
        train = self.training
        if train is None or source is train or source.trained or self._same_rows(source, train):
            return "train_eval"
        others = [one for one in self.all if not one.trained and one.forwards and not self._same_rows(one, train)]
        return "val" if not others or others[0] is source else "test"

    def _same_rows(self, source: Source, train: Source) -> bool:
        """Return whether a source reads all of the training rows and no others, to measure the training itself."""
        if source.key is None or source.key != train.key:
            return False
        both = (source.indices, train.indices)
        if both[0] is None or both[1] is None:
            return both[0] is both[1] and self._another(source, train)
        return np.array_equal(np.sort(both[0]), np.sort(both[1])) and self._another(source, train)

    def _another(self, source: Source, train: Source) -> bool:
        """Return whether there is a further source to validate on."""
        return any(not one.trained and one is not source and one.key != train.key for one in self.all)

    def overlap(self) -> SplitOverlap | None:
        """Return the evaluated source that shares most rows with training; None where rows are not known."""
        train = self.training
        if train is None or not train.passes or not train.passes[0].printed:
            return None
        held = np.concatenate([one.all_prints() for one in train.passes])
        unique = np.unique(held)
        first = train.passes[0].all_prints()
        found = []
        for source in self.all:
            if source.trained or not source.forwards or not source.passes or not source.passes[0].printed:
                continue
            if self.split(source) != "train_eval":
                found.append(self._overlap(source, train, unique, len(first) - len(np.unique(first))))
        return max(found, key=lambda one: one.exact / one.samples, default=None)

    def _overlap(self, source: Source, train: Source, unique: NDArray[np.int64], repeated: int) -> SplitOverlap:
        own = source.passes[0].all_prints()
        shared = np.isin(own, unique)
        inputs = self.inputs.get(id(source))
        if inputs is not None and not inputs.floating:  # pieces of text repeat by themselves: only rows tell
            shared = np.full(len(own), self._rows_shared(source, train))
        mine = np.flatnonzero(shared)[:EXAMPLES]
        place = {int(value): at for at, value in reversed(list(enumerate(train.passes[0].all_prints())))}
        pairs = tuple((int(i), place[int(own[i])]) for i in mine if int(own[i]) in place)
        same = source.key is not None and source.key == train.key and bool(shared.any())
        return SplitOverlap(
            split=self.split(source),
            samples=len(own),
            train_samples=train.passes[0].printed,
            exact=int(shared.sum()),
            train_duplicates=repeated,
            same_dataset=same,
            examples=pairs,
            site=source.site,
        )

    def _rows_shared(self, source: Source, train: Source) -> bool:
        """Return whether both read the same stored rows, some of them at least."""
        if source.key is None or source.key != train.key:
            return False
        if source.indices is None or train.indices is None:
            return True
        return bool(np.isin(source.indices, train.indices).any())

    def balance(self) -> ClassBalance | None:
        """Return how often each class was seen in the first pass over the training data."""
        train = self.training
        labels = train.passes[0].all_labels() if train is not None and train.passes else np.empty(0)
        if not _codes(labels):
            return None
        counts = np.bincount(labels.astype(np.int64))
        assert train is not None
        return ClassBalance(tuple(int(count) for count in counts), weighted=train.evened)

    def order(self) -> LabelOrder | None:
        """Return whether the training labels of the first pass came in an order (Wald and Wolfowitz 1940)."""
        train = self.training
        if train is None or train.loader is None or not train.passes or train.evened:
            return None
        labels = train.passes[0].all_labels()
        if len(labels) < FEW_LABELS:
            return None
        codes = labels if _codes(labels) else (labels > np.median(labels)).astype(np.float64)
        runs, expected, deviation = runs_of(codes)
        if deviation <= 0:
            return None
        z = (runs - expected) / deviation
        return LabelOrder(
            labels=len(labels),
            classes=len(np.unique(codes)),
            runs=runs,
            expected_runs=expected,
            z=z,
            p=0.5 * math.erfc(-z / math.sqrt(2)),
            same_order=_same_order(train),
            shuffled=train.shuffled,
            site=train.site,
        )

    def repeats(self) -> ValidationRepeat | None:
        """Return whether a source that is only evaluated gave the same rows twice."""
        for source in self.all:
            if source.trained or not source.forwards or len(source.passes) < 2 or source.shuffled is not False:
                continue
            first, second = (one.all_prints() for one in source.passes)
            if len(first) != len(second) or not len(first):
                continue
            changed = int((first != second).sum())
            again = bool(changed) and np.array_equal(np.sort(first), np.sort(second))
            return ValidationRepeat(
                samples=len(first),
                changed=0 if again else changed,
                largest_difference=source.difference,
                reordered=again,
                site=source.site,
            )
        return None


def _codes(labels: NDArray[np.float64]) -> bool:
    """Return whether labels are class codes, of more than one class."""
    if not len(labels) or not np.array_equal(labels, np.round(labels)) or labels.min() < 0:
        return False
    return 2 <= len(np.unique(labels)) <= MOST_CLASSES and labels.max() < MOST_CLASSES


def _same_order(source: Source) -> bool | None:
    if len(source.passes) < 2 or not source.passes[1].printed:
        return None
    first, second = (one.all_prints() for one in source.passes)
    common = min(len(first), len(second))
    return bool(common) and bool(np.array_equal(first[:common], second[:common]))


def _equal(one: NDArray[np.int64] | None, other: NDArray[np.int64] | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
