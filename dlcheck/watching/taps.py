"""The hooks on PyTorch as a whole, through which a ``Listener`` hears what any script does."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.data import DataLoader
from torch.utils.data import dataloader as loading

from dlcheck.monitor.hook import without_hooks
from dlcheck.watching.beginnings import Beginnings, has_closure
from dlcheck.watching.calls import Calls
from dlcheck.watching.listener import Listener
from dlcheck.watching.patching import Function, Patches

LOSSES = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "kl_div",
    "poisson_nll_loss",
    "gaussian_nll_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
)
"""Functions of ``torch.nn.functional`` that take ``input`` and ``target``."""


class Taps:
    """All hooks together; ``remove`` leaves PyTorch as it was found."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self._patches, self._losses = Patches(), Patches()
        self._calls, self._beginnings = Calls(listener), Beginnings(listener)
        self._handles: list[Any] = []

    def install(self) -> None:
        """Put the hooks into PyTorch."""
        for tap in (_modules, _backward, _optimizers, _schedules, _scalers, _clipping, _loaders, _batches, _workers):
            tap(self._patches, self.listener)
        self._calls.all()
        self.listener.rest.calls = self._calls
        for name in LOSSES:
            self._losses.replace(functional, name, _loss(name, self.listener))
        self._patches.replace(torch.jit, "script", self._without_losses)
        self._beginnings.install()
        self.listener.rest.beginnings = self._beginnings
        self._handles = [register_optimizer_step_post_hook(_step_ends(self.listener))]

    def remove(self) -> None:
        """Take them all out again."""
        self.listener.rest.calls = self.listener.rest.beginnings = None
        self._calls.remove()
        self._beginnings.lift()
        self._losses.undo()
        self._patches.undo()
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _without_losses(self, script: Function) -> Function:
        # The compiler of TorchScript reads the source of what it finds under a name.
        def compiled(*args: Any, **named: Any) -> Any:
            with self._losses.lifted():
                return script(*args, **named)

        return compiled


def _modules(patches: Patches, listener: Listener) -> None:
    def init(original: Function) -> Function:
        def __init__(self: nn.Module, *args: Any, **named: Any) -> None:
            original(self, *args, **named)
            if listener.active:
                listener.module_made(self)

        return __init__

    def load(original: Function) -> Function:
        def load_state_dict(self: nn.Module, *args: Any, **named: Any) -> Any:
            if listener.active:
                listener.weights_loaded(self)
            return original(self, *args, **named)

        return load_state_dict

    def state(original: Function) -> Function:
        def __getstate__(self: nn.Module) -> Any:
            return without_hooks(original(self))

        return __getstate__

    patches.replace(nn.Module, "__getstate__", state)
    patches.replace(nn.Module, "__init__", init)
    patches.replace(nn.Module, "load_state_dict", load)


def _backward(patches: Patches, listener: Listener) -> None:
    rest, is_compiling = listener.rest, torch.compiler.is_compiling

    def backward(original: Function) -> Function:
        def run(*args: Any, **named: Any) -> Any:
            if is_compiling() or not listener.active:
                return original(*args, **named)
            if rest.on:
                loss = args[0] if args else None
                if isinstance(loss, list | tuple) and len(loss) == 1:
                    loss = loss[0]
                if isinstance(loss, torch.Tensor) and (rest.heard(loss) or listener.overheard(loss)):
                    return original(*args, **named)
            retained = args[2] if len(args) > 2 else named.get("retain_graph")
            listener.backward_begins(args[0] if args else named.get("tensors"), bool(retained))
            try:
                return original(*args, **named)
            finally:
                if listener.awake:
                    listener.backward_ends()

        return run

    patches.replace(torch.autograd, "backward", backward)


def _loss(name: str, listener: Listener) -> Callable[[Function], Function]:
    rest, is_compiling = listener.rest, torch.compiler.is_compiling

    def make(original: Function) -> Function:
        order = tuple(inspect.signature(original).parameters)

        def loss(*args: Any, **named: Any) -> Any:
            # One that raises in a step that is only counted is found in the traceback.
            if rest.on or is_compiling() or not listener.active:
                return original(*args, **named)
            result, failed = None, True
            try:
                result = original(*args, **named)
                failed = False
                return result
            finally:
                if failed or listener.awake:
                    listener.loss_called(name, {**dict(zip(order, args, strict=False)), **named}, result)

        return loss

    return make


def _optimizers(patches: Patches, listener: Listener) -> None:
    def init(original: Function) -> Function:
        def __init__(self: torch.optim.Optimizer, *args: Any, **named: Any) -> None:
            original(self, *args, **named)
            if listener.active:
                listener.optimizer_made(self)

        return __init__

    patches.replace(torch.optim.Optimizer, "__init__", init)


def _step_ends(listener: Listener) -> Function:
    rest = listener.rest

    def hook(optimizer: torch.optim.Optimizer, args: Any, named: Any) -> None:
        if rest.on:
            if not rest.ended(optimizer):
                listener.rested(optimizer)
        elif listener.active:
            listener.step_ends(optimizer, has_closure(args, named))

    return hook


def _closure(args: Any, named: Any) -> bool:
    return (len(args) > 1 and args[1] is not None) or (bool(named) and named.get("closure") is not None)


def _schedules(patches: Patches, listener: Listener) -> None:
    deep = [0]

    def step(original: Function) -> Function:
        def stepped(self: lr_scheduler.LRScheduler, *args: Any, **named: Any) -> Any:
            deep[0] += 1  # schedules that consist of schedules step these
            try:
                return original(self, *args, **named)
            finally:
                deep[0] -= 1
                if listener.active and not deep[0] and not getattr(self, "_is_initial", False):
                    listener.schedule_stepped(self, bool(args or named))

        return stepped

    def initial(original: Function) -> Function:
        def begun(self: lr_scheduler.LRScheduler, *args: Any, **named: Any) -> Any:
            deep[0] += 1
            try:
                return original(self, *args, **named)
            finally:
                deep[0] -= 1
                if listener.active and not deep[0]:
                    listener.schedule_made(self)

        return begun

    patches.replace(lr_scheduler.LRScheduler, "_initial_step", initial)
    for kind in vars(lr_scheduler).values():
        if isinstance(kind, type) and issubclass(kind, lr_scheduler.LRScheduler) and "step" in vars(kind):
            patches.replace(kind, "step", step)


def _scalers(patches: Patches, listener: Listener) -> None:
    def scale(original: Function) -> Function:
        def scaled(self: Any, outputs: Any) -> Any:
            result = original(self, outputs)
            if listener.active:
                listener.loss_scaled(self, outputs, result)
            return result

        return scaled

    patches.replace(torch.amp.GradScaler, "scale", scale)


def _clipping(patches: Patches, listener: Listener) -> None:
    rest = listener.rest

    def clip(original: Function) -> Function:
        def clipped(parameters: Any, max_norm: float, *args: Any, **named: Any) -> Any:
            norm = original(parameters, max_norm, *args, **named)
            if listener.active and not rest.on:
                listener.clipped(norm, max_norm)
            return norm

        return clipped

    home = torch.nn.utils.clip_grad  # where pickles look for it
    patches.replace(home, "clip_grad_norm_", clip)
    made = vars(home)["clip_grad_norm_"]
    patches.replace(torch.nn.utils, "clip_grad_norm_", lambda original: made)


def _loaders(patches: Patches, listener: Listener) -> None:
    def begin(original: Function) -> Function:
        def __iter__(self: DataLoader[Any]) -> Any:
            iterator = original(self)
            if listener.active:
                listener.loading_begins(self, iterator)
            return iterator

        return __iter__

    patches.replace(DataLoader, "__iter__", begin)


def _batches(patches: Patches, listener: Listener) -> None:
    def following(original: Function) -> Function:
        def __next__(self: Any) -> Any:
            if not listener.active:
                return original(self)
            usual = listener.usual == id(self) and not listener.awake
            begun = 0.0 if usual else time.perf_counter()
            try:
                batch = original(self)
            except StopIteration:
                listener.loading_ended(self)
                raise
            if not usual:
                listener.batch_came(self, batch, time.perf_counter() - begun)
            return batch

        return __next__

    patches.replace(loading._BaseDataLoaderIter, "__next__", following)


def _workers(patches: Patches, listener: Listener) -> None:
    def started(original: Function) -> Function:
        def __init__(self: Any, loader: DataLoader[Any]) -> None:
            probe = listener.workers_start(loader) if listener.active else None
            if probe is None:
                original(self, loader)
                return
            initialise = loader.worker_init_fn
            loader.worker_init_fn = probe
            try:
                original(self, loader)
            finally:
                loader.worker_init_fn = initialise

        return __init__

    patches.replace(loading._MultiProcessingDataLoaderIter, "__init__", started)
