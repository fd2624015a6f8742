"""Calls of modules from outside of all modules: of all there are, or of a single one, which costs less."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from dlcheck.monitor.hook import Own
from dlcheck.watching.patching import Function, Patches

if TYPE_CHECKING:
    from dlcheck.watching.listener import Listener


class Calls:
    """Tells a listener of calls, through the class of all modules or through hooks of one."""

    def __init__(self, listener: Listener) -> None:
        self._listener, self._rest = listener, listener.rest
        self._patches = Patches()
        self._main = threading.get_ident()
        self._inside = False
        """A call from outside is under way."""
        self._token: object | None = None
        self._handles: list[Any] = []

    def all(self) -> None:
        """Hear of the calls of all modules."""
        if not self._patches:
            self._patches.replace(nn.Module, "__call__", self._call)
        # The hook after a call stays: the one that is under way may be what made this necessary.
        for handle in self._handles[:1]:
            handle.remove()

    def only(self, module: nn.Module) -> None:
        """Hear of the calls of one module."""
        self.remove()
        before = module.register_forward_pre_hook(Own(self._begins), with_kwargs=True)
        self._handles = [before, module.register_forward_hook(Own(self._ends), always_call=True)]

    def remove(self) -> None:
        """Hear of none."""
        self._patches.undo()
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._inside = False

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

    def _begins(self, module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        if not self._rest.on or torch.compiler.is_compiling() or threading.get_ident() != self._main:
            return
        if module.training and torch.is_grad_enabled():
            self._rest.begins(module, args, named)
            return
        # What listens from here on must not take the layers of this module for models.
        self._inside = True
        self._token = self._listener.call_begins(module, args, named)

    def _ends(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if self._token is None and not self._inside:
            return
        token, self._token, self._inside = self._token, None, False
        self._listener.call_ends(token, output)
