"""The spread of activations and gradients over the depth of the models that train, before their first step."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

from torch import Tensor, nn

from dlcheck.monitor.depth import DepthLook
from dlcheck.runs.facts import DepthSpread
from dlcheck.watching.models import inner

MOST_PASSES = 8
"""Passes of a model that are looked at while no backward pass follows any, as those that count parameters."""


@dataclass(slots=True)
class _Watched:
    model: weakref.ref[nn.Module]
    look: DepthLook
    passes: int = 0


class Depths:
    """Looks at the first pass of each model that a backward pass follows."""

    def __init__(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._facts: dict[int, DepthSpread] = {}
        self._open: DepthLook | None = None

    def begins(self, module: nn.Module, rows: Tensor | None) -> None:
        """A model that has made no step is called, in training mode and with a graph."""
        model, key = inner(module), id(module)
        watched = self._watched.get(key)
        known = key in self._facts or (watched is not None and watched.passes >= MOST_PASSES)
        if known or self._open is not None or (watched is not None and watched.look.complete):
            return
        if watched is None or watched.model() is not model:
            watched = self._watched[key] = _Watched(weakref.ref(model), DepthLook(model))
        watched.look, watched.passes = DepthLook(model), watched.passes + 1
        watched.look.samples = len(rows) if rows is not None and rows.ndim else 0
        self._open = watched.look
        watched.look.attach()

    def ends(self, *outputs: Tensor) -> None:
        """The call is over."""
        look, self._open = self._open, None
        if look is not None:
            look.detach(*outputs)

    def backward_ended(self) -> None:
        """A backward pass is over: what it reached is known, while the weights are those that it began with."""
        for key, watched in list(self._watched.items()):
            fact = watched.look.fact(pretrained=False) if watched.look.complete else None
            if fact is not None:
                self._facts[key] = fact
                del self._watched[key]

    def stepped(self) -> None:
        """An optimizer has changed weights: what was not seen by now is not seen at its beginning."""
        self._watched.clear()

    def fact(self) -> DepthSpread | None:
        """Return that of the deepest model; None when none was seen."""
        return max(self._facts.values(), key=lambda fact: len(fact.layers), default=None)
