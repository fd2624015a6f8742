"""Looks into one forward pass: outputs of layers, and what their activation functions do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.monitor.detection import floats
from dlcheck.monitor.forward_graph import ancestor, functions_called, nodes_below, through_shapes
from dlcheck.monitor.hook import Guard, Hook
from dlcheck.monitor.parameters import full_name
from dlcheck.monitor.transfer import Transfer
from dlcheck.monitor.units import Kind, Units

MOST_NUMBERS = 1 << 18
"""Of a larger output, mean and deviation are taken over as many rows as hold this many numbers."""
MOST_CALLS = 8
"""A module called more often in one pass is a recurrent cell: its later calls count as one more."""
MODULES: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    nn.ReLU6: "relu",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
}
_FAST_PATHS = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
"""In evaluation mode these take another way through when they carry hooks, and round otherwise."""
_BY_CHANNEL = (nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase, nn.GroupNorm)
_BATCH_NORMS = nn.modules.batchnorm._BatchNorm
Row = tuple[str, str, float]
"""Layer, statistic, value."""


@dataclass(slots=True)
class Look:
    """What one forward pass showed besides units."""

    norms: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of each batch norm in force: values per channel, and samples, of this batch."""
    last_dropout: bool = False
    """What a dropout returned is the output of the network."""


@dataclass(frozen=True, slots=True)
class _Layer:
    name: str
    by_channel: bool


@dataclass(frozen=True, slots=True)
class _Squashed:
    """A sigmoid or tanh, which counts only once it is known what its output is used for."""

    label: str
    activation: str
    source: Tensor
    axis: int
    node: Any


class ActivationProbe:
    """Hooks a model's layers for one forward pass at a time; between these nothing of it is there.

    Activations that are called as functions are read from the graph that the pass has built.
    """

    def __init__(self, model: nn.Module, prefix: str, guard: Guard, units: Units, transfer: Transfer) -> None:
        self.units, self.look = units, Look()
        self._guard, self._transfer = guard, transfer
        self._model, self._prefix = model, prefix
        self._names: dict[int, str] = {}
        self._handles: list[Any] = []
        self._samples = 0
        self._begin()

    def _begin(self) -> None:
        self._calls: Counter[str] = Counter()
        self._stats: list[tuple[str, Tensor, Tensor]] = []
        self._nodes: dict[Any, _Layer] = {}
        self._counted: set[Any] = set()
        self._squashed: list[_Squashed] = []
        self._last = _Layer("", by_channel=False)
        self._dropped: Tensor | None = None

    @property
    def attached(self) -> bool:
        """Whether a pass is being looked at."""
        return bool(self._handles)

    def attach(self, samples: int) -> None:
        """Hook the layers for the pass that begins now, on a batch of ``samples``."""
        self._begin()
        self._samples = samples
        layers = list(_eligible(self._model))
        self._names = {id(module): full_name(self._prefix, name) for name, module in layers}
        hook = Hook(self._guard, "activations", self._after_layer)
        self._handles = [module.register_forward_hook(hook) for _, module in layers]

    def detach(self, output: object, then: Callable[[list[Row]], None]) -> None:
        """Take the hooks away after the pass, and call ``then`` with what the layers put out."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        outputs = list(floats(output))
        places = {tensor.data_ptr() for tensor in outputs}
        self.look.last_dropout = self._dropped is not None and self._dropped.data_ptr() in places
        self._guard("activations", self._read_graph, outputs)
        names = [name for name, _, _ in self._stats]
        numbers = [one for _, *pair in self._stats for one in pair]
        self._begin()
        self._transfer.read(numbers, lambda found: then(_rows(names, found)))

    @torch.no_grad()
    def _after_layer(self, module: nn.Module, args: tuple[Any, ...], output: object) -> None:
        tensor = next(floats(output), None)
        if tensor is None or tensor.is_complex() or id(module) not in self._names:
            return
        name = self._names[id(module)]
        if isinstance(module, nn.modules.dropout._DropoutNd):
            if module.p > 0:  # one that is switched off passes on what it is given
                self._dropped = tensor
            return
        deviation, mean = torch.std_mean(_thinned(tensor.detach()).float(), correction=0)
        self._stats.append((name, mean, deviation))
        activation = MODULES.get(type(module))
        if activation is not None:
            self._counted.add(tensor.grad_fn)
            source = args[0] if args and isinstance(args[0], Tensor) else tensor
            self._activate(_Layer(name, self._last.by_channel), activation, (source, tensor), tensor.grad_fn)
            return
        if isinstance(module, _BATCH_NORMS) and (module.training or module.running_mean is None):
            self.look.norms[name] = (tensor.numel() // tensor.shape[1], tensor.shape[0])
        self._last = _Layer(name, isinstance(module, _BY_CHANNEL))
        if tensor.grad_fn is not None:
            self._nodes[tensor.grad_fn] = self._last

    def _activate(self, layer: _Layer, activation: str, values: tuple[Tensor, Tensor], node: Any) -> None:
        """Count what an activation does; ``values`` are its input and output."""
        source, result = values
        self._calls[layer.name] += 1
        place = min(self._calls[layer.name], MOST_CALLS)
        label = layer.name if place == 1 else f"{layer.name}#{place}"
        axis = 1 if result.ndim > 1 and (result.ndim != 3 or layer.by_channel) else result.ndim - 1
        if result.ndim == 0:
            return
        if activation == "relu":
            self.units.add(label, Kind(activation), result, axis=axis, samples=self._samples)
        else:
            self._squashed.append(_Squashed(label, activation, source.detach(), axis, node))

    @torch.no_grad()
    def _read_graph(self, outputs: list[Tensor]) -> None:
        nodes = nodes_below(outputs)
        for activation, node, source, result in functions_called(nodes, self._counted):
            layer = ancestor(node, self._nodes)
            if layer is not None:
                self._activate(layer, activation, (source, result), node)
        gates = {
            through_shapes(parent)
            for node in nodes
            if node.name() == "MulBackward0"
            for parent, _ in node.next_functions
        }
        final = {through_shapes(tensor.grad_fn) for tensor in outputs}
        for one in self._squashed:
            # What makes the network's answer, or opens and closes another path, may be as sure as it likes.
            known = one.node is not None
            kind = Kind(one.activation, gate=known and one.node in gates, output=known and one.node in final)
            self.units.add(one.label, kind, one.source, axis=one.axis, samples=self._samples)


def _eligible(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers that hooks may look at: with parameters of their own, or an activation or dropout."""
    seen: set[int] = set()
    stack: list[tuple[str, nn.Module]] = [("", model)]
    while stack:
        name, module = stack.pop()
        if id(module) in seen or _closed(module):
            continue
        seen.add(id(module))
        children = [(f"{name}.{key}" if name else key, child) for key, child in module.named_children()]
        if module is not model and _is_layer(module, bool(children)):
            yield name, module
        stack += reversed(children)


def _closed(module: nn.Module) -> bool:
    compiled = getattr(module, "_compiled_call_impl", None) is not None or hasattr(module, "_orig_mod")
    scripted = isinstance(module, torch.jit.ScriptModule)
    return compiled or scripted or (isinstance(module, _FAST_PATHS) and not module.training)


def _is_layer(module: nn.Module, has_children: bool) -> bool:
    if isinstance(module, nn.modules.dropout._DropoutNd) or type(module) in MODULES:
        return True
    kept = not has_children or hasattr(module, "parametrizations")
    return kept and any(True for _ in module.parameters())


def _thinned(tensor: Tensor) -> Tensor:
    rows = tensor.shape[0] if tensor.ndim else 1
    if tensor.numel() <= MOST_NUMBERS or rows == 1:
        return tensor
    return tensor[: max(rows * MOST_NUMBERS // tensor.numel(), 1)]


def _rows(names: list[str], numbers: list[float]) -> list[Row]:
    rows: list[Row] = []
    for place, name in enumerate(names):
        rows.append((name, "activation_mean", numbers[2 * place]))
        rows.append((name, "activation_std", numbers[2 * place + 1]))
    return rows
