"""Which losses, activations and modules a forward pass calls, and with what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from dlcheck.monitor.depth import WEIGHTED
from dlcheck.monitor.loss_input import CLASS_LOSSES, ELEMENT_LOSSES, loss_call, spreads
from dlcheck.runs.facts import LossCall

CONVOLUTIONS = WEIGHTED[2:8]
_DIFFERENCES = {"sub", "__sub__", "rsub", "__rsub__", "subtract"}


class LossSpy(TorchFunctionMode):
    """Notes each loss of ``torch.nn.functional`` that is called within, and differences that spread over each other."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[LossCall] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Note the call, and make it."""
        given = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in CLASS_LOSSES or name in ELEMENT_LOSSES:
            self._note(name, args, given)
        elif name in _DIFFERENCES and len(args) == 2 and _pairs_wrongly(*args):
            self.calls.append(loss_call("subtraction", *args))
        return func(*args, **given)

    def _note(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        both = [*args, *(kwargs[key] for key in ("input", "target") if key in kwargs)][:2]
        if len(both) == 2 and all(isinstance(item, Tensor) for item in both):
            self.calls.append(loss_call(name, both[0], both[1]))


def _pairs_wrongly(first: Any, second: Any) -> bool:
    """Return whether these are an answer, which has a graph, and a target, which has none, of shapes that spread."""
    both = isinstance(first, Tensor) and isinstance(second, Tensor)
    return both and first.requires_grad != second.requires_grad and spreads(first, second)


class ActivationSpy(TorchFunctionMode):
    """Hands the inputs of every ReLU, tanh and sigmoid that is called within to ``seen``."""

    KINDS: Mapping[str, str] = {
        "relu": "relu", "relu_": "relu", "relu6": "relu", "hardtanh": "relu",
        "tanh": "tanh", "tanh_": "tanh", "sigmoid": "sigmoid", "sigmoid_": "sigmoid",
    }  # fmt: skip

    def __init__(self, seen: Callable[[str, Tensor], None]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Show the input, and make the call."""
        name = getattr(func, "__name__", "")
        kind = self.KINDS.get(name, "")
        if name == "hardtanh" and not _is_relu6(args, kwargs or {}):
            kind = ""
        if kind and args and isinstance(args[0], Tensor):
            self.seen(kind, args[0].detach())
        return func(*args, **(kwargs or {}))


def _is_relu6(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    return (len(args) > 1 and args[1] == 0) or kwargs.get("min_val") == 0


class WithoutDropout(TorchFunctionMode):
    """Makes every dropout that is called as a function pass its input on."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the input of a dropout; make any other call."""
        if "dropout" in getattr(func, "__name__", "") and args and isinstance(args[0], Tensor):
            return args[0]
        return func(*args, **(kwargs or {}))


@dataclass(slots=True)
class Trace:
    """The modules of a forward pass in the order in which they ended, and what they returned."""

    names: dict[nn.Module, str] = field(default_factory=dict)
    running: list[nn.Module] = field(default_factory=list)
    """Modules whose forward pass is under way, the innermost last."""
    called: list[tuple[nn.Module, tuple[Any, ...], Tensor | None]] = field(default_factory=list)
    """Module, inputs and output (the first tensor of it) of each call that ended."""
    last_weighted: nn.Module | None = None
    """The last layer with weights that was called."""


@contextmanager
def traced(model: nn.Module, watch: Callable[[nn.Module, tuple[Any, ...], Tensor], None] | None = None,
           *, keep: bool = True) -> Iterator[Trace]:  # fmt: skip
    """Follow the calls of all modules within.

    Args:
        model: whose modules.
        watch: called with module, inputs and output when a call has ended.
        keep: Whether the trace keeps inputs and outputs.
    """
    trace = Trace(names={module: name for name, module in model.named_modules()})

    def begin(module: nn.Module, inputs: Any) -> None:
        trace.running.append(module)

    def end(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if trace.running:
            trace.running.pop()
        if isinstance(module, WEIGHTED):
            trace.last_weighted = module
        tensor = first_tensor(output)
        if keep:
            trace.called.append((module, inputs, tensor))
        if watch is not None and tensor is not None:
            watch(module, inputs, tensor)

    with ExitStack() as hooks:
        for module in trace.names:
            hooks.callback(module.register_forward_pre_hook(begin).remove)
            hooks.callback(module.register_forward_hook(end).remove)
        yield trace


def first_tensor(output: Any) -> Tensor | None:
    """Return a tensor, or the first one in a tuple or list."""
    if isinstance(output, tuple | list):
        return next((item for item in output if isinstance(item, Tensor)), None)
    return output if isinstance(output, torch.Tensor) else None
