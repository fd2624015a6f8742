"""Times the calls at which a training waits for its device, and finds the user's lines that make them."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlcheck.monitor.site import user_site
from dlcheck.profiling.deep_table import Waited
from dlcheck.runs.facts import Site

READS = ("item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__", "nonzero", "__repr__")
"""Methods of tensors that need a value of the device's."""
SHORTEST_S = 2e-5
"""Seconds below which a call did not wait: the device had nothing left to do."""


class SyncWatch:
    """While it is on, calls that wait are timed with the user's line; of several nested ones the outermost counts.

    PyTorch's own warnings (``torch.cuda.set_sync_debug_mode``) find those that no method call shows, as indexing with a
    mask does.

    Args:
        on_device: Whether a tensor's values are the device's.
        warn: Whether PyTorch is to warn.
    """

    def __init__(
        self, on_device: Callable[[Tensor], bool] = lambda tensor: tensor.is_cuda, *, warn: bool = True
    ) -> None:
        self.waits: list[Waited] = []
        self.warned: list[Site | None] = []
        self._on_device, self._warn = on_device, warn
        self._inside = False
        self._restore: list[Callable[[], None]] = []

    def __enter__(self) -> SyncWatch:
        for name in READS:
            self._patch(Tensor, name, f"Tensor.{name}", tensor=True)
        self._patch(Tensor, "to", "Tensor.to", tensor=True)
        for owner in (torch.cuda, torch.cuda.Stream, torch.cuda.Event):
            name = getattr(owner, "__name__", "torch.cuda").rpartition(".")[2]
            self._patch(owner, "synchronize", f"{name}.synchronize", tensor=False)
        if self._warn and torch.cuda.is_available():
            self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        while self._restore:
            self._restore.pop()()

    def _patch(self, owner: Any, name: str, what: str, *, tensor: bool) -> None:
        own = name in vars(owner)
        original = getattr(owner, name)
        setattr(owner, name, self._timed(original, what, tensor=tensor))
        self._restore.append(lambda: setattr(owner, name, original) if own else delattr(owner, name))

    def _timed(self, original: Callable[..., Any], what: str, *, tensor: bool) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if self._inside or (tensor and not self._on_device(args[0])):
                return original(*args, **named)
            self._inside = True
            began = time.perf_counter()
            result = None
            try:
                result = original(*args, **named)
                return result
            finally:
                lasted = time.perf_counter() - began
                self._inside = False
                stays = what == "Tensor.to" and isinstance(result, Tensor) and self._on_device(result)
                if lasted >= SHORTEST_S and not stays:
                    self.waits.append(Waited(what, lasted, user_site(sys._getframe(1))))

        return call

    def _listen(self) -> None:
        shown = warnings.showwarning
        filters = list(warnings.filters)

        def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
            if "synchroniz" in str(message):
                self.warned.append(user_site(sys._getframe(1)))
            else:
                shown(message, category, filename, lineno, file, line)

        before = torch.cuda.get_sync_debug_mode()
        warnings.filterwarnings("always", message=".*synchroniz.*")
        warnings.showwarning = show
        torch.cuda.set_sync_debug_mode("warn")

        def restore() -> None:
            torch.cuda.set_sync_debug_mode(before)
            warnings.showwarning = shown
            warnings.filters[:] = filters  # type: ignore[index]

        self._restore.append(restore)
