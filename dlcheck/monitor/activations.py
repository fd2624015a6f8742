"""Looks into one forward pass: outputs of layers, and what their activation functions do."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import activation as own_activations
from torch.overrides import TorchFunctionMode

from dlcheck.monitor.hook import Guard, Hook
from dlcheck.monitor.parameters import plain_name
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
_RELU = (torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_, nn.functional.relu, nn.functional.relu6)
_SIGMOID = (torch.sigmoid, torch.Tensor.sigmoid, nn.functional.sigmoid)
_TANH = (torch.tanh, torch.Tensor.tanh, nn.functional.tanh)
FUNCTIONS: dict[Any, str] = {
    **dict.fromkeys(_RELU, "relu"),
    **dict.fromkeys(_SIGMOID, "sigmoid"),
    **dict.fromkeys(_TANH, "tanh"),
}
_PRODUCTS: frozenset[Any] = frozenset((torch.mul, torch.Tensor.mul, torch.Tensor.__mul__, torch.Tensor.__rmul__))
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


@dataclass(slots=True)
class _Squashed:
    layer: str
    activation: str
    source: Tensor
    axis: int
    result: Tensor
    gate: bool = False


class ActivationProbe:
    """Hooks a model's layers for one forward pass at a time; between these nothing of it is there."""

    def __init__(self, model: nn.Module, prefix: str, guard: Guard, units: Units, transfer: Transfer) -> None:
        self.units, self.look = units, Look()
        self._guard, self._transfer = guard, transfer
        self._model, self._prefix = model, prefix
        self._names: dict[int, str] = {}
        self._layers: list[nn.Module] = []
        self._handles: list[Any] = []
        self._mode: _Functions | None = None
        self._samples = 0
        self._begin()

    def _begin(self) -> None:
        self._calls: Counter[str] = Counter()
        self._stats: list[tuple[str, Tensor, Tensor]] = []
        self._last: tuple[nn.Module, str, Tensor] | None = None
        self._waiting: list[_Squashed] = []
        self._dropped: Tensor | None = None

    @property
    def attached(self) -> bool:
        """Whether a pass is being looked at."""
        return bool(self._handles)

    def attach(self, samples: int) -> None:
        """Hook the layers for the pass that begins now, on a batch of ``samples``."""
        self._begin()
        self._samples = samples
        self._names, self._layers = {}, []
        for name, module in _eligible(self._model):
            self._names[id(module)] = ".".join(part for part in (self._prefix, plain_name(name)) if part)
            self._layers.append(module)
        hook = Hook(self._guard, "activations", self._after_layer)
        self._handles = [module.register_forward_hook(hook) for module in self._layers]
        if not any(isinstance(module, _FAST_PATHS) and not module.training for module in self._model.modules()):
            self._mode = _Functions(self._after_function, self._multiplied)
            self._mode.__enter__()  # type: ignore[no-untyped-call]

    def detach(self, output: object, then: Callable[[list[Row]], None]) -> None:
        """Take the hooks away after the pass, and call ``then`` with what the layers put out."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self._mode is not None:
            mode, self._mode = self._mode, None
            mode.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        final = {tensor.data_ptr() for tensor in _tensors(output)}
        self.look.last_dropout = self._dropped is not None and self._dropped.data_ptr() in final
        for one in self._waiting:
            # What makes the network's answer, or opens and closes another path, may be as sure as it likes.
            kind = Kind(one.activation, gate=one.gate, output=one.result.data_ptr() in final)
            self.units.add(one.layer, kind, one.source, axis=one.axis, samples=self._samples)
        names = [name for name, _, _ in self._stats]
        numbers = [one for _, *pair in self._stats for one in pair]
        self._begin()
        self._transfer.read(numbers, lambda found: then(_rows(names, found)))

    @torch.no_grad()
    def _after_layer(self, module: nn.Module, args: tuple[Any, ...], output: object) -> None:
        tensor = next(_tensors(output), None)
        if tensor is None or not tensor.is_floating_point() or not tensor.numel() or id(module) not in self._names:
            return
        name = self._names[id(module)]
        if isinstance(module, nn.modules.dropout._DropoutNd):
            self._dropped = tensor
            return
        deviation, mean = torch.std_mean(_thinned(tensor.detach()).float(), correction=0)
        self._stats.append((name, mean, deviation))
        activation = MODULES.get(type(module))
        if activation is not None and isinstance(args[0], Tensor):
            self._activate(name, activation, args[0], tensor)
        if isinstance(module, _BATCH_NORMS) and (module.training or module.running_mean is None):
            self.look.norms[name] = (tensor.numel() // tensor.shape[1], tensor.shape[0])
        if next(module.parameters(recurse=False), None) is not None:
            self._last = (module, name, tensor)

    def _after_function(self, activation: str, source: Tensor, result: Tensor) -> None:
        self._guard("activations", self._functional, activation, source, result)

    def _multiplied(self, factors: tuple[Any, ...]) -> None:
        for one in self._waiting:
            one.gate = one.gate or any(factor is one.result for factor in factors)

    @torch.no_grad()
    def _functional(self, activation: str, source: Tensor, result: Tensor) -> None:
        if self._last is None or not result.is_floating_point() or not result.numel():
            return
        # Gates of a cell saturate because they are gates; only what follows a layer at once is an activation.
        if activation != "relu" and self._last[2] is not source:
            return
        self._activate(self._last[1], activation, source, result)

    def _activate(self, name: str, activation: str, source: Tensor, result: Tensor) -> None:
        self._calls[name] += 1
        place = min(self._calls[name], MOST_CALLS)
        label = name if place == 1 else f"{name}#{place}"
        by_channel = result.ndim != 3 or (self._last is not None and isinstance(self._last[0], _BY_CHANNEL))
        axis = 1 if by_channel and result.ndim > 1 else result.ndim - 1
        if activation == "relu":
            self.units.add(label, Kind(activation), result, axis=axis, samples=self._samples)
        else:
            self._waiting.append(_Squashed(label, activation, source.detach(), axis, result))


class _Functions(TorchFunctionMode):
    """Sees activation functions that are called as functions."""

    def __init__(
        self, seen: Callable[[str, Tensor, Tensor], None], multiplied: Callable[[tuple[Any, ...]], None]
    ) -> None:
        super().__init__()
        self._seen, self._multiplied = seen, multiplied

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        activation = FUNCTIONS.get(func) if func.__class__ is not property else None
        if activation is not None and args and isinstance(result, Tensor) and not _within_module():
            self._seen(activation, args[0], result)
        elif func in _PRODUCTS:
            self._multiplied(args)
        return result


def _within_module() -> bool:
    """Return whether the function was called by one of PyTorch's activation modules, which has a hook of its own."""
    frame: FrameType | None = sys._getframe(2)
    for _ in range(4):
        if frame is not None and frame.f_code.co_filename == own_activations.__file__:
            return True
        frame = frame.f_back if frame is not None else None
    return False


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


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


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
