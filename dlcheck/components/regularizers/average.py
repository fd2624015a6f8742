"""Averages of the weights along the training."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn, get_swa_multi_avg_fn

from dlcheck.recipe.optimizer import Regularize


class WeightAverage:
    """Keeps averaged weights beside a model; BatchNorm's running statistics are averaged too.

    ``ema`` averages exponentially from the first step on (Polyak and Juditsky 1992, SIAM J. Control Optim. 30,
    as in Tarvainen and Valpola 2017, NIPS); ``swa`` evenly over the steps from a start on (Izmailov et al.
    2018, UAI, arXiv 1803.05407, who average once an epoch). Counters and other integers are copied.
    """

    def __init__(self, model: nn.Module, *, decay: float | None, start: int = 0) -> None:
        self._model = model
        self._average = _averaging(decay)
        self._start = start
        self._count = 0
        self._averaged: list[Tensor] = []

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights after optimizer step ``step`` into the average, from the start on."""
        if step < self._start:
            return
        current = self._tensors()
        if self._count == 0:
            self._averaged = [tensor.detach().clone() for tensor in current]
        for pairs in _by_kind(self._averaged, current):
            averaged, latest = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            if averaged[0].is_floating_point():
                self._average(averaged, latest, self._count)
            else:
                torch._foreach_copy_(averaged, latest)
        self._count += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the model its averaged weights for a while, then its own, bit for bit; none yet: its own."""
        if self._count == 0:
            yield
            return
        own = [tensor.detach().clone() for tensor in self._tensors()]
        self._fill(self._averaged)
        try:
            yield
        finally:
            self._fill(own)

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs: the count of averaged steps, and the average."""
        return {"count": self._count, "averaged": list(self._averaged)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where ``state_dict`` was called."""
        self._count = state["count"]
        pairs = zip(state["averaged"], self._tensors(), strict=bool(state["count"]))
        self._averaged = [saved.detach().to(own.device, copy=True) for saved, own in pairs]

    def _tensors(self) -> list[Tensor]:
        return list(chain(self._model.parameters(), self._model.buffers()))

    @torch.no_grad()
    def _fill(self, values: list[Tensor]) -> None:
        for tensor, value in zip(self._tensors(), values, strict=True):
            tensor.copy_(value)


def _averaging(decay: float | None) -> Callable[[list[Tensor], list[Tensor], int], None]:
    make: Callable[..., Any] = get_swa_multi_avg_fn if decay is None else partial(get_ema_multi_avg_fn, decay)
    average: Callable[[list[Tensor], list[Tensor], int], None] = make()
    return average


def _by_kind(averaged: list[Tensor], current: list[Tensor]) -> list[list[tuple[Tensor, Tensor]]]:
    """Group pairs by type and device, as fused operations want them."""
    kinds: dict[tuple[torch.dtype, torch.device], list[tuple[Tensor, Tensor]]] = {}
    for pair in zip(averaged, current, strict=True):
        kinds.setdefault((pair[0].dtype, pair[0].device), []).append(pair)
    return list(kinds.values())


def build_average(section: Regularize, model: nn.Module, total_steps: int) -> WeightAverage | None:
    """Build the average that ``regularize.average`` names; None for none.

    Args:
        section: the ``[regularize]`` section.
        model: already on its device.
        total_steps: optimizer steps in the whole training, of which ``average_start`` is a share.
    """
    match section.average:
        case "ema":
            return WeightAverage(model, decay=section.average_decay)
        case "swa":
            return WeightAverage(model, decay=None, start=int(section.average_start * total_steps))
    return None
