"""Computes a failed step again under detection, and leaves no trace of it."""

from __future__ import annotations

import random
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.nn.utils.stateless import _reparametrize_module

from dlcheck.monitor.detection import Detector, Origin, floats, is_finite
from dlcheck.monitor.parameters import full_name


@dataclass(slots=True, weakref_slot=True)
class Call:
    """A forward pass as it was begun: enough to make it again."""

    model: nn.Module
    prefix: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    samples: int
    random: Tensor
    """State of PyTorch's generator at its beginning."""
    autocast: tuple[str, bool, torch.dtype]
    output_gradient: list[tuple[int, Tensor]]
    """Gradients of the loss with respect to its outputs, by place, once the backward pass has been there."""
    outputs: list[weakref.ref[Tensor]]
    """What it returned, as long as anybody keeps that."""
    span: tuple[int, int] = (0, 0)
    """Sequence numbers of the autograd nodes that it made, from the first to behind the last."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What computing a step again showed."""

    origin: Origin | None
    """Of the first non-finite numbers; None when all was finite this time."""
    reproduced: bool


def replay_forward(call: Call, again: Callable[[], Tensor] | None) -> Replay:
    """Compute the loss again, or without ``again`` the model's outputs, and look for what is not finite."""
    with _replaying(call) as detector:
        result = again() if again is not None else call.model(*call.args, **call.kwargs)
        return _found(detector, list(floats(result)))


def replay_backward(call: Call, again: Callable[[], Tensor] | None) -> Replay:
    """Compute the loss and its gradients again; without ``again``, from the gradients that its outputs got."""
    with _replaying(call) as detector, torch.autograd.set_detect_anomaly(True, check_nan=False):
        outputs, weights = _outputs(call, again)
        if not outputs:
            return Replay(None, reproduced=False)
        parameters = [p for p in call.model.parameters() if p.requires_grad]
        found = torch.autograd.grad(outputs, parameters, weights, allow_unused=True)
        return _found(detector, [*outputs, *(one for one in found if one is not None)])


def _outputs(call: Call, again: Callable[[], Tensor] | None) -> tuple[list[Tensor], list[Tensor | None]]:
    if again is not None:
        return [again()], [None]
    outputs = list(floats(call.model(*call.args, **call.kwargs)))
    pairs = [(outputs[place], weight) for place, weight in call.output_gradient if place < len(outputs)]
    return [output for output, _ in pairs], [weight for _, weight in pairs]


def _found(detector: Detector, tensors: list[Tensor]) -> Replay:
    bad = [one for one in tensors if not is_finite(one)]
    origins = [origin for one in bad if (origin := detector.origin(one)) is not None]
    first = next((origin for origin in origins if origin.kind != "fill"), None)
    return Replay(first or next(iter(origins), None), reproduced=bool(bad))


@contextmanager
def _replaying(call: Call) -> Iterator[Detector]:
    """Set everything as it was when the call began, and afterwards as it was before the replay."""
    names = {id(module): full_name(call.prefix, name) for name, module in call.model.named_modules()}
    detector = Detector(names, call.samples)
    _mark(detector, call)
    device, enabled, dtype = call.autocast
    with ExitStack() as stack:
        stack.enter_context(untouched(call.model))
        torch.set_rng_state(call.random)
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autocast(device, dtype=dtype, enabled=enabled))
        for handle in _module_hooks(detector):
            stack.callback(handle.remove)
        stack.enter_context(detector)
        yield detector


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Undo afterwards whatever a pass within does to random streams, buffers, modes and attributes of modules."""
    with ExitStack() as stack:
        stack.enter_context(_kept_random_state())
        stack.enter_context(_kept_attributes(model))
        # Running statistics move in copies: the real ones may be needed, unmoved, by the pass that is under way.
        copies = {name: buffer.clone() for name, buffer in model.named_buffers()}
        stack.enter_context(_reparametrize_module(model, copies))
        stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


def _mark(detector: Detector, call: Call) -> None:
    for tensor in floats((call.args, call.kwargs)):
        if not is_finite(tensor):
            mask = bool((tensor.isfinite() | (tensor == -torch.inf)).all())
            detector.mark(tensor, Origin("fill" if mask else "input"))
    for parameter in call.model.parameters():
        if parameter.numel() and not is_finite(parameter):
            detector.mark(parameter, Origin("weight"))


def _module_hooks(detector: Detector) -> list[Any]:
    return [
        hooks.register_module_forward_pre_hook(lambda module, args: detector.enter(module, args)),
        hooks.register_module_forward_hook(lambda module, args, output: detector.leave(module, args, output)),
    ]


@contextmanager
def _kept_random_state() -> Iterator[None]:
    own, plain, numpy = torch.get_rng_state(), random.getstate(), np.random.get_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    try:
        yield
    finally:
        torch.set_rng_state(own)
        random.setstate(plain)
        np.random.set_state(numpy)
        if devices:
            torch.cuda.set_rng_state_all(devices)


@contextmanager
def _kept_attributes(model: nn.Module) -> Iterator[None]:
    """Keep what modules remember of a pass in attributes of their own: a hidden state, a counter."""
    skip = ("_parameters", "_buffers", "_modules")
    kept = [(module, {k: v for k, v in vars(module).items() if k not in skip}) for module in model.modules()]
    gradients = [(p, p.grad) for p in model.parameters()]
    try:
        yield
    finally:
        for module, attributes in kept:
            state = vars(module)
            for name in [name for name in state if name not in attributes and name not in skip]:
                del state[name]
            state.update(attributes)
        for parameter, gradient in gradients:
            if parameter.grad is not gradient:
                parameter.grad = gradient
