"""Stamps on the batches of a recipe's own loader."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from dlcheck.profiling.recorder import RECORDER, Row
from dlcheck.profiling.stamps import Stamped, opened


class LoaderProbe:
    """Stamps the batches of a recipe's own loader; a ``components.data.loader_batches.Probe``."""

    def __init__(self) -> None:
        self._row: Row | None = None
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

    def taken(self) -> Row | None:
        """Return the stamps of the batch that came last, once."""
        row, self._row = self._row, None
        return row
