"""Hooks on PyTorch's models, backward passes and optimizers that tell a meter of the phases of anybody's step."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from dlcheck.profiling.copies import CopyHooks
from dlcheck.profiling.device_marks import device_marks
from dlcheck.profiling.drawing import size_of
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.stepping import BACKWARD, FORWARD, OPTIMIZER, REST
from dlcheck.watching.patching import Function, Patches

LEARNING = 3
"""Steps in which models are looked for. One hook on all modules costs 5 % of a small step, those on a few nothing."""
OUTER = (REST, OPTIMIZER)
"""Where a script calls its models itself: a closure does so within the optimizer's step."""
UNASKED = -1
"""Stands for the loader of a script that slices its batches itself."""


class StepHooks:
    """Learns which modules a script calls itself, and hooks these alone."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.device = "cpu"
        """Of the first model."""
        self._placed = False
        self.optimizers: Counter[str] = Counter()
        """Steps of each class."""
        self.loaders = True
        """Batches come from loaders that tell the meter; else every step's end counts as a request."""
        self._patches = Patches()
        self._copies = CopyHooks(meter)
        self._handles: list[Any] = []
        self._learning: Any = None
        self._steps = 0
        self._roots: set[int] = set()

    def install(self) -> None:
        """Put the hooks in."""
        self._learning = register_module_forward_pre_hook(self._called)
        self._patches.replace(torch.autograd, "backward", self._backward)
        self._patches.replace(torch.autograd, "grad", self._grad)
        self._patches.replace(torch, "compile", self._compile)
        self._copies.install()
        self._handles += [
            register_optimizer_step_pre_hook(self._step_begins),
            register_optimizer_step_post_hook(self._step_ended),
        ]

    def remove(self) -> None:
        """Take them out again."""
        self._learned()
        self._patches.undo()
        self._copies.remove()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _called(self, module: nn.Module, inputs: Any) -> None:
        """A module is called, in the first steps: one that no other calls is hooked for good."""
        meter = self.meter
        if not meter.active or meter.phase not in OUTER or id(module) in self._roots:
            return
        self._hook(module)
        self._begins(module, inputs)  # its own hook is too late for this call

    def _hook(self, module: nn.Module) -> None:
        self._roots.add(id(module))
        self._handles += [
            module.register_forward_pre_hook(self._begins),
            module.register_forward_hook(self._ended, always_call=True),
        ]

    def _look_at(self, module: nn.Module) -> None:
        parameter = next(module.parameters(), None)
        if parameter is not None:
            self._placed = True
            self.device = str(parameter.device)
            self.meter.device = self.meter.device or device_marks(self.device)

    def _learned(self) -> None:
        if self._learning is not None:
            self._learning.remove()
            self._learning = None

    def _begins(self, module: nn.Module, inputs: Any) -> None:
        if not self.loaders and self.meter.waiting:
            self.meter.got(size_of(inputs))
        if not self._placed:
            self._look_at(module)
        self.meter.begin(FORWARD)

    def _ended(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self.meter.end(FORWARD)

    def _backward(self, original: Function) -> Function:
        meter = self.meter

        def backward(*args: Any, **named: Any) -> Any:
            meter.begin(BACKWARD)
            try:
                return original(*args, **named)
            finally:
                meter.end(BACKWARD)
                loss = args[0] if args else named.get("tensors")
                if isinstance(loss, torch.Tensor) and loss.numel() == 1:
                    meter.lost(loss.detach())

        return backward

    def _grad(self, original: Function) -> Function:
        meter = self.meter

        def grad(*args: Any, **named: Any) -> Any:
            meter.begin(BACKWARD)
            try:
                return original(*args, **named)
            finally:
                meter.end(BACKWARD)

        return grad

    def _compile(self, original: Function) -> Function:
        def compile(*args: Any, **named: Any) -> Any:
            compiled = original(*args, **named)
            if isinstance(compiled, nn.Module):
                self._learned()  # a compiled module warns, at each call, of hooks on all modules
                self._hook(compiled)
            return compiled

        return compile

    def _step_begins(self, optimizer: torch.optim.Optimizer, args: Any, named: Any) -> None:
        self.meter.begin(OPTIMIZER)

    def _step_ended(self, optimizer: torch.optim.Optimizer, args: Any, named: Any) -> None:
        self.meter.end(OPTIMIZER)
        if not self.meter.active:
            return
        self.optimizers[type(optimizer).__name__] += 1
        self._steps += 1
        if self._steps == LEARNING:
            self._learned()
        if not self.loaders:
            self.meter.ask(UNASKED)
