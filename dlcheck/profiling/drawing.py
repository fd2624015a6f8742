"""The iterator that a user's loop draws its batches from: told to the meter, and repeated or drained where asked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlcheck.profiling.meter import Meter
from dlcheck.profiling.recorder import PID
from dlcheck.profiling.stamps import opened

if TYPE_CHECKING:
    from dlcheck.profiling.loader_hooks import LoaderFacts, LoaderHooks


class Drawn:
    """Stands for a loader's own iterator, and passes on every attribute.

    Once its batches are known to be trained on, and the trial asks for it, the first few of them repeat without end,
    or batches are drawn without ever handing one out.
    """

    def __init__(
        self, hooks: LoaderHooks, facts: LoaderFacts, meter: Meter | None, *, begin: Callable[[], Iterator[Any]],
        end: Callable[[], None],
    ) -> None:  # fmt: skip
        self._hooks, self._facts, self._meter, self._begin, self._end = hooks, facts, meter, begin, end
        self._inner: Iterator[Any] | None = begin()
        self._keeps = meter is not None and hooks.settings.mode in ("ideal", "copied")
        self._kept: list[_Kept] = []
        self._repeating: Iterator[_Kept] | None = None

    def __iter__(self) -> Drawn:
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_dlcheck") or "_inner" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __len__(self) -> int:
        return len(self._inner)  # type: ignore[arg-type]  # PyTorch's iterators have a length

    def __next__(self) -> Any:
        meter, facts = self._meter, self._facts
        if meter is None or not meter.active:
            return self._opened(next(self._own()))
        meter.ask(facts.source)
        if facts.source in meter.trained:
            if self._keeps and self._ready():
                return self._repeated(meter)
            if self._hooks.settings.mode == "loader":
                self._drain(meter)
        try:
            item = next(self._own())
        except StopIteration:
            if self._keeps and self._kept and facts.source in meter.trained:
                return self._repeated(meter)
            meter.exhausted(facts.source)
            raise
        batch = self._opened(item)
        meter.got(size_of(batch), self._hooks.taken())
        if self._keeps and len(self._kept) < self._hooks.settings.kept:
            self._kept.append(_Kept(batch, on_device=self._hooks.settings.mode == "ideal"))
        return batch

    def _own(self) -> Iterator[Any]:
        if self._inner is None:
            raise StopIteration
        return self._inner

    def _opened(self, item: Any) -> Any:
        batch, row = opened(item)
        self._hooks.latest, facts = row, self._facts
        if row is not None and row[PID] not in facts.pids:
            facts.pids = (*facts.pids, row[PID])
        if facts.batch_bytes is None:
            tensors = list(tensors_of(batch))
            facts.batch_bytes = sum(tensor.nbytes for tensor in tensors)
            if torch.cuda.is_available() and tensors and tensors[0].device.type == "cpu":
                facts.pinned = tensors[0].is_pinned()
        return batch

    def _ready(self) -> bool:
        return self._repeating is not None or len(self._kept) >= self._hooks.settings.kept

    def _repeated(self, meter: Meter) -> Any:
        if self._repeating is None:
            self._repeating = itertools.cycle(self._kept)
            self._inner = None
            self._end()
        batch = next(self._repeating).again()
        meter.got(size_of(batch))
        return batch

    def _drain(self, meter: Meter) -> None:
        """Draw batches until the meter's rest raises; the loop that asked for one never gets it."""
        meter.untrained = True
        while True:
            try:
                batch = self._opened(next(self._own()))
            except StopIteration:
                meter.exhausted(self._facts.source)
                meter.begin_epoch(self._facts.source)
                self._inner = self._begin()
                meter.ask(self._facts.source)
                continue
            meter.got(size_of(batch), self._hooks.taken())
            meter.ask(self._facts.source)


class _Kept:
    """A batch that is handed out again and again, whatever the user's code does to it."""

    def __init__(self, batch: Any, *, on_device: bool) -> None:
        moves = on_device and torch.cuda.is_available()
        self._pristine = mapped(batch, lambda tensor: tensor.detach().to("cuda") if moves else tensor.detach().clone())
        self._used = self._copy()
        self._versions = self._now()

    def again(self) -> Any:
        """Return the batch as it was."""
        if self._now() != self._versions:  # written to in place
            self._used = self._copy()
            self._versions = self._now()
        return self._used

    def _copy(self) -> Any:
        return mapped(self._pristine, _cloned)

    def _now(self) -> list[int]:
        return [tensor._version for tensor in tensors_of(self._used)]


def _cloned(tensor: Tensor) -> Tensor:
    return tensor.clone().pin_memory() if torch.cuda.is_available() and tensor.is_pinned() else tensor.clone()


def mapped(item: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Return a batch with a function applied to each tensor in lists, tuples and mappings; the rest stays."""
    if isinstance(item, Tensor):
        return function(item)
    if type(item) in (list, tuple):
        return type(item)(mapped(one, function) for one in item)
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        return type(item)(*(mapped(one, function) for one in item))
    if type(item) is dict:
        return {key: mapped(one, function) for key, one in item.items()}
    return item


def tensors_of(item: Any) -> Iterator[Tensor]:
    """Yield the tensors of a batch."""
    if isinstance(item, Tensor):
        yield item
    elif isinstance(item, list | tuple):
        for one in item:
            yield from tensors_of(one)
    elif hasattr(item, "values") and hasattr(item, "keys"):
        for one in item.values():
            yield from tensors_of(one)


def size_of(batch: Any) -> int:
    """Return the samples of a batch: the length of its first tensor, else 1."""
    for tensor in tensors_of(batch):
        if tensor.ndim:
            return len(tensor)
    return 1
