"""Calls of modules from outside of all modules: of all there are, or of a single one, which costs less."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from dlcheck.watching.patching import Function, Patches

if TYPE_CHECKING:
    from dlcheck.watching.listener import Listener


COMPILED = "_compiled_call_impl"
"""What PyTorch calls in the place of a module's own call if it is set, and what no copy or pickle of it carries along.

A hook would do as well, but for a module that has any PyTorch takes a longer way, in each step.
"""


class Alone:
    """Stands there for one module."""

    __slots__ = ("_called", "module")

    def __init__(self, module: nn.Module, called: Callable[..., Any]) -> None:
        self.module, self._called = module, called

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Call the module."""
        return self._called(self.module, args, named)

    def __deepcopy__(self, memo: object) -> None:
        """Leave nothing in a copy by those who make it without PyTorch's ``__getstate__``."""

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (nn.Module, COMPILED)


class Calls:
    """Tells a listener of calls, through the class of all modules or in the place of those of a single one."""

    def __init__(self, listener: Listener) -> None:
        self._listener, self._rest = listener, listener.rest
        self._patches = Patches()
        self._main = threading.get_ident()
        self._inside = False
        """A call from outside is under way."""
        self._alone: Alone | None = None

    def all(self) -> None:
        """Hear of the calls of all modules."""
        if not self._patches:
            self._patches.replace(nn.Module, "__call__", self._call)
        self._leave()

    def only(self, module: nn.Module) -> None:
        """Hear of the calls of one module."""
        self.remove()
        self._alone = Alone(module, self._called)
        vars(module)[COMPILED] = self._alone

    def remove(self) -> None:
        """Hear of none."""
        self._patches.undo()
        self._leave()
        self._inside = False

    def _leave(self) -> None:
        alone, self._alone = self._alone, None
        if alone is None:
            return
        module: nn.Module = alone.module
        if vars(module).get(COMPILED) is alone:  # or it has been compiled meanwhile
            delattr(module, COMPILED)

    def _call(self, original: Function) -> Function:
        is_compiling, is_grad_enabled = torch.compiler.is_compiling, torch.is_grad_enabled
        calls, listener, rest, main = self, self._listener, self._rest, self._main

        def __call__(self: nn.Module, *args: Any, **named: Any) -> Any:
            if calls._inside or is_compiling() or not listener.active or threading.get_ident() != main:
                return original(self, *args, **named)
            calls._inside = True
            if not listener.awake and self.training and is_grad_enabled():
                if rest.on:
                    rest.begins(self, args, named)
                try:
                    return original(self, *args, **named)
                finally:
                    calls._inside = False
            try:
                token = listener.call_begins(self, args, named)
                output = original(self, *args, **named)
            finally:
                calls._inside = False
            listener.call_ends(token, output)
            return output

        return __call__

    def _called(self, module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        call: Function = module._call_impl
        rest = self._rest
        if not rest.on or self._inside or torch.compiler.is_compiling() or threading.get_ident() != self._main:
            return call(*args, **named)
        if module.training and torch.is_grad_enabled():
            rest.begins(module, args, named)
            return call(*args, **named)
        # What listens from here on must not take the layers of this module for models.
        self._inside = True
        try:
            token = self._listener.call_begins(module, args, named)
            output = call(*args, **named)
        finally:
            self._inside = False
        self._listener.call_ends(token, output)
        return output
