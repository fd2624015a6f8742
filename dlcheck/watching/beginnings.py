"""What comes before a step of an optimizer: its gradients are cleared, and it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from dlcheck.watching.patching import Function, Patches

if TYPE_CHECKING:
    from dlcheck.watching.listener import Listener


class Beginnings:
    """Tells a listener of it; lifted while steps are only counted, for even a hook that returns at once takes time."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._patches = Patches()
        self._handle: Any = None

    def install(self) -> None:
        """Tell of it from now on."""
        if self._handle is None:
            self._patches.replace(torch.optim.Optimizer, "zero_grad", self._clearing)
            self._handle = register_optimizer_step_pre_hook(self._begins)

    def lift(self) -> None:
        """Tell of it no longer."""
        if self._handle is not None:
            self._patches.undo()
            self._handle.remove()
            self._handle = None

    def _clearing(self, original: Function) -> Function:
        listener = self._listener

        def zero_grad(self: torch.optim.Optimizer, *args: Any, **named: Any) -> None:
            original(self, *args, **named)
            if listener.active and listener.awake:
                listener.gradients_cleared(self)

        return zero_grad

    def _begins(self, optimizer: torch.optim.Optimizer, args: Any, named: Any) -> None:
        if self._listener.active and self._listener.awake:
            self._listener.step_begins(optimizer, has_closure(args, named))


def has_closure(args: Any, named: Any) -> bool:
    """Return whether a step was given a function that computes its loss again; ``args`` begin with the optimizer."""
    return (len(args) > 1 and args[1] is not None) or (bool(named) and named.get("closure") is not None)
