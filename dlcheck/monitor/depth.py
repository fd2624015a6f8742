"""How activations and gradients change with depth, seen in one pass forth and back through a model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.monitor.detection import floats
from dlcheck.monitor.forward_graph import ancestor, functions_called, nodes_below, through_shapes
from dlcheck.monitor.parameters import plain_name
from dlcheck.monitor.units import BEND
from dlcheck.runs.facts import DepthSpread

WEIGHTED = (nn.Linear, nn.Bilinear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d,
            nn.ConvTranspose3d, nn.RNNBase, nn.MultiheadAttention)  # fmt: skip
"""Layers that multiply by weights."""
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
NORMS = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d, nn.RMSNorm)
_FAST_PATHS = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
"""In evaluation mode these take another way through when they carry hooks."""


class DepthLook:
    """Hooks the layers of a model for one pass; between ``detach`` and the backward pass only gradients are awaited."""

    def __init__(self, model: nn.Module) -> None:
        self.samples = 0
        """Of the batch that went through."""
        self._names = {layer: plain_name(name) for name, layer in _open_layers(model)}
        self._spreads: dict[nn.Module, Tensor] = {}
        self._gradients: dict[nn.Module, Tensor] = {}
        self._beyond: dict[nn.Module, Tensor] = {}
        self._normalized: set[nn.Module] = set()
        self._nodes: dict[Any, nn.Module] = {}
        self._levels: dict[nn.Module, int] = {}
        """How many layers lie before each on the longest way to it, and itself."""
        self._handles: list[Any] = []

    def attach(self) -> None:
        """Hook the layers."""
        self._handles = [layer.register_forward_hook(self._after) for layer in self._names]

    @torch.no_grad()
    def detach(self, *outputs: Tensor) -> None:
        """Take the hooks away; ``outputs`` are what the pass returned, with its graph."""
        for handle in self._handles:
            handle.remove()
        nodes = nodes_below([one for one in outputs if one.grad_fn is not None])
        self._levels = _levels(nodes, self._nodes)
        gates = {
            through_shapes(parent)
            for node in nodes
            if node.name() == "MulBackward0"
            for parent, _ in node.next_functions
        }
        for activation, node, source, _ in functions_called(nodes, gates):
            layer = ancestor(node, self._nodes)
            if layer is not None and activation in BEND:
                self._beyond.setdefault(layer, (source.abs() > BEND[activation]).double().mean())
        self._handles, self._nodes = [], {}

    @property
    def complete(self) -> bool:
        """Whether a backward pass has reached the layers."""
        return bool(self._gradients)

    def fact(self, *, pretrained: bool, prefix: str = "") -> DepthSpread | None:
        """Return what was seen; None without a layer whose weights train."""
        layers = self._in_a_row()
        if not layers:
            return None
        return DepthSpread(
            layers=tuple(".".join(part for part in (prefix, self._names[layer]) if part) for layer in layers),
            activation_std=tuple(float(self._spreads[layer]) for layer in layers),
            gradient_norm=tuple(float(self._gradients.get(layer, 0.0)) for layer in layers),
            weight_std=tuple(_weight_std(layer) for layer in layers),
            fan_in=tuple(_fan_in(layer) for layer in layers),
            samples=self.samples,
            pretrained=pretrained,
            normalized=tuple(layer in self._normalized for layer in layers),
            beyond_bend=tuple(float(self._beyond.get(layer, 0.0)) for layer in layers),
        )

    def _in_a_row(self) -> list[nn.Module]:
        """Return layers of which each lies behind the one before it.

        Of those side by side, as the queries, keys and values of attention, the one with the largest gradient tells
        what reaches the layers before; what is on no way to the output tells nothing.
        """
        if not self._levels:
            return list(self._spreads)
        best: dict[int, nn.Module] = {}
        for layer, level in self._levels.items():
            other = best.get(level)
            if other is None or float(self._gradients.get(layer, 0.0)) > float(self._gradients.get(other, 0.0)):
                best[level] = layer
        return [best[level] for level in sorted(best)]

    def _after(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, NORMS):
            given = inputs[0].grad_fn if inputs and isinstance(inputs[0], Tensor) else None
            if given in self._nodes:
                self._normalized.add(self._nodes[given])
            return
        tensor = next(floats(output), None)
        if module in self._spreads or tensor is None or not tensor.requires_grad or tensor.is_complex():
            return
        self._spreads[module] = tensor.detach().float().std(correction=0)
        self._nodes[tensor.grad_fn] = module
        tensor.register_hook(partial(_keep, self._gradients, module))  # type: ignore[no-untyped-call]


def _open_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers that hooks may look at: neither compiled nor on a fast path that hooks would change."""
    stack: list[tuple[str, nn.Module]] = [("", model)]
    seen: set[nn.Module] = set()
    while stack:
        name, module = stack.pop()
        compiled = getattr(module, "_compiled_call_impl", None) is not None or hasattr(module, "_orig_mod")
        fast = isinstance(module, _FAST_PATHS) and not module.training
        if module in seen or compiled or fast or isinstance(module, torch.jit.ScriptModule):
            continue
        seen.add(module)
        if isinstance(module, (*WEIGHTED, *NORMS)):
            yield name, module
        stack += [(f"{name}.{key}" if name else key, child) for key, child in module.named_children()][::-1]


def _levels(nodes: list[Any], layers: dict[Any, nn.Module]) -> dict[nn.Module, int]:
    """Return the level of each layer whose node is among ``nodes``."""
    levels: dict[Any, int] = {}
    found: dict[nn.Module, int] = {}
    # A node is made after all that it was made from; those that take gradients in, the leaves, count as made last.
    for node in sorted((one for one in nodes if one.next_functions), key=lambda one: int(one._sequence_nr())):
        level = max((levels.get(parent, 0) for parent, _ in node.next_functions), default=0)
        if node in layers:
            level += 1
            found[layers[node]] = level
        levels[node] = level
    return found


def _keep(gradients: dict[nn.Module, Tensor], module: nn.Module, gradient: Tensor | None) -> None:
    if gradient is None:  # nothing flows this way, as in a second pass through a graph that is gone
        return
    # The norm, not a mean: a pixel of a large map counts for less than a number of the answer, all of them do not.
    gradients.setdefault(module, gradient.detach().float().norm())


def _matrix(layer: nn.Module) -> Tensor | None:
    found = [getattr(layer, name, None) for name in ("weight", "weight_ih_l0", "in_proj_weight")]
    return next((weight for weight in found if isinstance(weight, Tensor)), None)


def _weight_std(layer: nn.Module) -> float:
    weight = _matrix(layer)
    return 0.0 if weight is None else float(weight.detach().float().std(correction=0))


def _fan_in(layer: nn.Module) -> int:
    weight = _matrix(layer)
    return 0 if weight is None else int(weight[0].numel())
