"""Layers whose units all begin alike, and whether they still are alike at the end."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dlcheck.runs.facts import SymmetricLayer, WeightSymmetry

MOST_NUMBERS = 1 << 22
"""Larger weights are not looked at."""


@dataclass(slots=True)
class _Alike:
    layer: SymmetricLayer
    weight: weakref.ref[Tensor]


class Symmetry:
    """Looks at the weights of a model before its first step, and at those that were alike once more at the end."""

    def __init__(self) -> None:
        self._layers = 0
        self._alike: list[_Alike] = []

    @torch.no_grad()
    def begin(self, model: nn.Module) -> None:
        """Look at all weights that train."""
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad and p.ndim > 1 and len(p) > 1]
        self._layers += len(named)
        modules = dict(model.named_modules())
        kinds = [n for n, _ in named if isinstance(modules.get(n.rpartition(".")[0]), _JUDGED)]
        for name, weight in named:
            if name not in kinds or not 1 < weight.numel() <= MOST_NUMBERS or not weight.is_floating_point():
                continue
            if bool((weight == weight[:1]).all()):
                last = name == kinds[-1]
                layer = SymmetricLayer(name.removesuffix(".weight"), _kind(weight), len(weight), 1, last)
                self._alike.append(_Alike(layer, weakref.ref(weight)))

    @torch.no_grad()
    def fact(self, steps: int) -> WeightSymmetry | None:
        """Return the layers that began alike; None before any training."""
        if not self._layers:
            return None
        found = []
        for one in self._alike:
            weight = one.weight()
            still = None if weight is None or not steps else bool((weight == weight[:1]).all())
            found.append(replace(one.layer, still=still))
        return WeightSymmetry(self._layers, tuple(found), steps)


_JUDGED = (nn.Linear, nn.modules.conv._ConvNd)


def _kind(weight: Tensor) -> str:
    if not weight.any():
        return "zero"
    return "constant" if bool((weight == weight.reshape(-1)[0]).all()) else "equal rows"
