"""What the taps tell, and that nothing that listens can stop a script."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

from dlcheck.watching.rest import Rest

Call = Mapping[str, Any]
"""Arguments of a loss function by name; ``input`` and ``target`` are always there."""


class Listener(Protocol):
    """Told of everything that a training does. Each method is quick and never raises."""

    active: bool
    """Taps are silent while it is False: in forked processes, and after the end."""
    awake: bool
    """While it is False, only what must be heard of every step is told; see ``Monitor.awake``."""
    rest: Rest
    """What is told of a step instead of all else while it is ``on``; see ``Monitor.resting``."""

    def module_made(self, module: nn.Module) -> None:
        """A module's constructor has begun."""

    def weights_loaded(self, module: nn.Module) -> None:
        """Values are loaded into a module."""

    def call_begins(self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> object | None:
        """A module is called from outside of all modules; what is returned comes back with ``call_ends``."""

    def call_ends(self, token: object | None, output: Any) -> None:
        """It has returned."""

    def loss_called(self, name: str, call: Call, result: Tensor | None) -> None:
        """A loss function of ``torch.nn.functional`` has returned; None: it raised."""

    def backward_begins(self, tensors: Any, retained: bool = False) -> None:
        """A backward pass from these tensors is about to begin; ``retained``: with ``retain_graph=True``."""

    usual: int
    """Identity of an iterator of a loader whose batches are nothing new to a step of which nothing is told."""

    def overheard(self, loss: Tensor) -> bool:
        """The same for a loss that ``rest`` does not take; return False where it must be looked at in full."""

    def rested(self, optimizer: torch.optim.Optimizer) -> None:
        """The same for the end of a step."""

    def backward_ends(self) -> None:
        """It is over, or raised."""

    def optimizer_made(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer has been built."""

    def step_begins(self, optimizer: torch.optim.Optimizer, closure: bool) -> None:
        """An optimizer's step begins."""

    def step_ends(self, optimizer: torch.optim.Optimizer, closure: bool) -> None:
        """It has changed the weights."""

    def gradients_cleared(self, optimizer: torch.optim.Optimizer) -> None:
        """``zero_grad`` was called."""

    def schedule_made(self, scheduler: LRScheduler) -> None:
        """A schedule has been built."""

    def schedule_stepped(self, scheduler: LRScheduler, metric: bool) -> None:
        """A schedule was stepped by the user; ``metric`` tells whether a value came along."""

    def loss_scaled(self, scaler: Any, loss: Any, scaled: Any) -> None:
        """A gradient scaler multiplied a loss."""

    def clipped(self, norm: Any, limit: float) -> None:
        """``clip_grad_norm_`` has returned this norm."""

    def loading_begins(self, loader: Any, iterator: Any) -> None:
        """A data loader is iterated from its beginning."""

    def workers_start(self, loader: Any) -> Callable[[int], None] | None:
        """A data loader starts its workers; what is returned stands for their ``worker_init_fn``."""

    def batch_came(self, iterator: Any, batch: Any, wait_s: float) -> None:
        """A data loader's iterator yields a batch after so many seconds."""

    def loading_ended(self, iterator: Any) -> None:
        """It has no more."""


F = TypeVar("F", bound=Callable[..., Any])
MOST_FAILURES = 3
"""Failures after which a method is left alone."""


def guarded(method: F) -> F:
    """Return a method whose time counts as the monitor's, and whose exceptions are noted and go no further."""
    name = method.__name__

    @functools.wraps(method)
    def call(self: Any, *args: Any, **named: Any) -> Any:
        meter = self.monitor.guard
        meter.begin()
        try:
            if self.rest.on:
                self.drain()
            return method(self, *args, **named)
        except Exception as error:
            self.failed(name, error)
            return None
        finally:
            meter.end()

    return call  # type: ignore[return-value]
