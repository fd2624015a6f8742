"""The batches of somebody else's loader, in the form that exams expect."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcheck.components.batches import Batch
from dlcheck.errors import DlcheckError, one_line

MOST = 10_000
"""Batches of an iterable without a length that are looked at: it might never end."""


class ForeignBatches:
    """Any iterable of batches. One that can be gone through only once is kept as it is read."""

    def __init__(self, loader: object, name: str) -> None:
        if not isinstance(loader, Iterable):
            raise DlcheckError(f"{name} is {type(loader).__name__}, expected an iterable of (inputs, target)")
        self.loader: Iterable[Any] = loader
        self.name = name
        self._once = iter(loader) is loader
        self._kept: list[Any] = []
        self._first: Batch | None = None

    @property
    def samples(self) -> int:
        """Samples in one epoch: those of the data set where the loader has one, else batches × the first's size."""
        sampler = getattr(self.loader, "sampler", None)
        dataset = getattr(self.loader, "dataset", None)
        for owner in (sampler, dataset):
            try:
                return len(owner)  # type: ignore[arg-type]
            except TypeError:
                continue
        return len(self) * self._batch_size()

    @property
    def batch_size(self) -> int:
        """Samples in the first batch."""
        return self._batch_size()

    def __len__(self) -> int:
        try:
            return len(self.loader)  # type: ignore[arg-type]
        except TypeError:
            return sum(1 for _ in itertools.islice(self._raw(), MOST))

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches from ``start`` on; the loader alone decides on their order.

        Raises:
            DlcheckError: the loader raises, or a batch is no (inputs, target) of tensors.
        """
        for batch in itertools.islice(self._raw(), start, MOST):
            yield self.as_batch(batch)

    def _raw(self) -> Iterator[Any]:
        try:
            if not self._once:
                yield from self.loader
                return
            yield from self._kept
            for batch in self.loader:
                self._kept.append(batch)
                yield batch
        except DlcheckError:
            raise
        except Exception as error:  # whatever the user's code raises is bad input to us
            raise DlcheckError(f"{self.name} raised {type(error).__name__}: {one_line(error)}") from error

    def _batch_size(self) -> int:
        if self._first is None:
            self._first = next(self.epoch(0), ())
        if not self._first:
            raise DlcheckError(f"{self.name} has no batches")
        return len(self._first[-1])

    def as_batch(self, batch: Any) -> Batch:
        """Return what the loader's collation made, as tensors, inputs first.

        Raises:
            DlcheckError: it is no (inputs, target) of tensors.
        """
        tensors = tuple(_flat(batch))
        if not isinstance(batch, tuple | list) or len(tensors) < 2 or any(t.ndim == 0 for t in tensors):
            kind = type(batch).__name__
            raise DlcheckError(f"{self.name} yields a {kind} as a batch, expected (inputs, target), tensors both")
        return tensors


def _flat(item: Any) -> Iterator[Tensor]:
    if isinstance(item, Tensor):
        yield item
    elif isinstance(item, np.ndarray):
        yield torch.as_tensor(item)
    elif isinstance(item, tuple | list):
        for part in item:
            yield from _flat(part)
