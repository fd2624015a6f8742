"""One model under watch: hooks at its root that are always there, and hooks at its layers for a pass now and then."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlcheck.monitor.activations import ActivationProbe
from dlcheck.monitor.detection import floats
from dlcheck.monitor.hook import Hook
from dlcheck.monitor.modes import Modes
from dlcheck.monitor.parameters import unwrapped
from dlcheck.monitor.replay import Call

if TYPE_CHECKING:
    from dlcheck.monitor.monitor import Monitor

sequence = torch._C._autograd._get_sequence_nr
"""The number that the next autograd node will get."""
MOST_SHARES = 64
"""Passes of one step whose outputs' gradients are kept."""


@dataclass(frozen=True, slots=True)
class Passing:
    """What a forward pass was given, without anything having been listened to."""

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    autocast: tuple[str, bool, torch.dtype]
    random: Tensor | None
    """State of the generator before it; None where passes draw nothing from it."""


class ModelWatch:
    """Hears the beginning and the end of every forward pass of one model."""

    def __init__(self, monitor: Monitor, model: nn.Module, prefix: str) -> None:
        self.monitor, self.prefix = monitor, prefix
        self.model = unwrapped(model)
        self.modes = Modes(self.model, prefix)
        self.probe = ActivationProbe(self.model, prefix, monitor.guard, monitor.units, monitor.transfer)
        self.call: Call | None = None
        self.looked = False
        """A pass of the step under way was looked at."""
        self.trained = False
        """A pass that may train was made since the last step."""
        self._random: Tensor | None = None
        """State of the generator at the beginning of a pass: of the latest, if passes draw from it."""
        self._brief: Passing | None = None
        """A pass that is not listened to."""
        self._on_cpu = all(p.device.type == "cpu" for p in self.model.parameters())
        self._depth = 0
        self._given = model
        self._handles = self._hook(model)
        self.draws = self.compiled or bool(self.modes.dropouts())
        """Passes draw random numbers: as far as is known, and taken for granted of one that cannot be looked into."""

    def _hook(self, model: nn.Module) -> list[Any]:
        # Hooks inside a compiled model would be traced into its graph; around it they are not.
        root = model if hasattr(model, "_orig_mod") else self.model
        self.compiled = root is not self.model or getattr(root, "_compiled_call_impl", None) is not None
        if root is self.model and self.compiled:
            return []
        before = Hook(self.monitor.guard, "forward", self._before)
        after = Hook(self.monitor.guard, "forward", self._after)
        self._root = root
        return [
            root.register_forward_pre_hook(before, with_kwargs=True),
            root.register_forward_hook(after, always_call=True),
        ]

    def _before(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        monitor = self.monitor
        if module is not self._root or monitor.failure.active:
            return
        self._depth += 1
        if self._depth > 1 or not torch.is_grad_enabled():
            return
        self._brief = None
        if monitor.resting:
            self._brief = Passing(self._root, args, kwargs, autocast(), torch.get_rng_state() if self.draws else None)
            return
        samples = _samples(args, kwargs)
        self.trained = True
        self.modes.forward(samples)
        monitor.passed(samples)
        if self._on_cpu:
            random = self._generator(monitor.looking)
            begun = (sequence(), sequence())
            self.call = Call(self.model, self.prefix, args, kwargs, samples, random, autocast(), [], [], begun)
        if not monitor.awake:
            return
        if monitor.looking and not self.looked and not self.compiled:
            self.looked = True
            self.probe.attach(samples)
        monitor.phases.begin("forward")

    def _generator(self, looking: bool) -> Tensor:
        """Return the state of the generator; a copy takes as long as a small layer, so it is made where it matters."""
        if self._random is None or self.draws or looking:
            self._random = torch.get_rng_state()
        return self._random

    def _after(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        monitor = self.monitor
        if module is not self._root or monitor.failure.active:
            return
        if not self._depth:
            return  # its beginning was not heard
        self._depth -= 1
        if self._depth or self._brief is not None:
            return
        if self.probe.attached:
            step = monitor.step + 1
            self.probe.detach(output, lambda rows: monitor.layers(step, rows))
            self.modes.norms(self.probe.look.norms)
            self.modes.dropout_on_output |= self.probe.look.last_dropout
            if self._random is not None and not self.draws:
                self.draws = not torch.equal(self._random, torch.get_rng_state())
        if not torch.is_grad_enabled():
            return
        if monitor.awake:
            monitor.phases.end("forward")
        if self.call is not None:
            self._follow(self.call, output)
        if monitor.awake:
            monitor.phases.begin("backward")

    def _follow(self, call: Call, output: Any) -> None:
        """Keep the gradients that the outputs will get: a backward pass can be made again from these."""
        call.span = call.span[0], sequence()
        self.monitor.calls.append(call)
        if len(self.monitor.calls) > MOST_SHARES:
            del self.monitor.calls[0]
        for place, tensor in enumerate(floats(output)):
            call.outputs.append(weakref.ref(tensor))
            if tensor.requires_grad:
                tensor.register_hook(_Keep(call, place))  # type: ignore[no-untyped-call]

    def latest(self, seen: Passing | None = None) -> Call | None:
        """Return the pass under way that was not listened to, if there is one and it can be made again.

        Args:
            seen: A pass that somebody else saw, of this model or another.
        """
        one = seen if seen is not None and seen.module is self._root else self._brief
        random = None if one is None else one.random if one.random is not None else self._random
        if one is None or random is None or not self._on_cpu:
            return None
        samples, span = _samples(one.args, one.kwargs), (sequence(), sequence())
        return Call(self.model, self.prefix, one.args, one.kwargs, samples, random, one.autocast, [], [], span)

    def rest(self) -> None:
        """Take the root's hooks away: a module without any is called faster."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._depth = 0

    def resume(self) -> None:
        """Put them back."""
        if not self._handles:
            self._handles = self._hook(self._given)

    def step(self, step: int) -> None:
        """Take note of an optimizer step."""
        if self.trained and self.monitor.awake:
            self.modes.step(step)
        self.looked = self.trained = False
        self.call = self._brief = None

    def close(self) -> None:
        """Take all hooks away."""
        if self.probe.attached:
            self.probe.detach(None, lambda rows: None)
        for handle in self._handles:
            handle.remove()


class _Keep:
    """A tensor's hook that keeps its gradient for as long as the call is kept."""

    __slots__ = ("_call", "_place")

    def __init__(self, call: Call, place: int) -> None:
        self._call, self._place = weakref.ref(call), place

    def __call__(self, gradient: Tensor) -> None:
        call = self._call()
        if call is not None:
            call.output_gradient.append((self._place, gradient))

    def __deepcopy__(self, memo: object) -> _Keep:
        return self


def autocast() -> tuple[str, bool, torch.dtype]:
    """Return the kind of device, whether operations there choose their precision, and which."""
    return "cpu", torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")


def _samples(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor) and value.ndim:
            return value.shape[0]
        if isinstance(value, dict | list | tuple):
            inner = value.values() if isinstance(value, dict) else value
            for item in inner:
                if isinstance(item, Tensor) and item.ndim:
                    return item.shape[0]
    return 0
