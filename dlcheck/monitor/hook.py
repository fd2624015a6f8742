"""Hooks that never break the training they listen to, and that no copy or checkpoint of a model carries along."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import torch

INERT = contextlib.nullcontext().__exit__
"""Takes anything and does nothing; from the standard library, so that it unpickles where dlcheck is not installed."""


class Guard:
    """Runs parts of the monitor; one that raises is switched off for good, and told of once."""

    def __init__(self, failed: Callable[[str, Exception], None]) -> None:
        self._failed = failed
        self.off: set[str] = set()
        """Parts that are switched off."""
        self.spent = 0.0
        """Seconds that all parts took; nested ones count once."""
        self._depth = 0
        self._began = 0.0

    def __call__(self, part: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function of a part and count its time; return None when it raised, or is switched off."""
        if part in self.off:
            return None
        self.begin()
        try:
            return function(*args)
        except Exception as error:  # the user's training goes on, whatever it was
            self.off.add(part)
            self._failed(part, error)
            return None
        finally:
            self.end()

    def begin(self) -> None:
        """Count time from here; calls may be nested."""
        if not self._depth:
            self._began = time.perf_counter()
        self._depth += 1

    def end(self) -> None:
        """Count no further."""
        self._depth -= 1
        if not self._depth:
            self.spent += time.perf_counter() - self._began


class Own:
    """A module's hook that is inert in copies and pickles of it."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function

    def __call__(self, *args: Any) -> None:
        """Pass on what the module hands over; never changes it."""
        self._function(*args)

    def __deepcopy__(self, memo: object) -> object:
        return INERT

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (contextlib.nullcontext(), "__exit__")


class Hook(Own):
    """One that is guarded, and skipped while a compiler traces the module."""

    __slots__ = ("_guard", "_part")

    def __init__(self, guard: Guard, part: str, function: Callable[..., None]) -> None:
        super().__init__(function)
        self._guard, self._part = guard, part

    def __call__(self, *args: Any) -> None:
        """Pass on what the module hands over; never changes it."""
        if not torch.compiler.is_compiling():
            self._guard(self._part, self._function, *args)


_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
_FLAGS = ("_forward_pre_hooks_with_kwargs", "_forward_hooks_with_kwargs", "_forward_hooks_always_called")


def without_hooks(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a module as they are without dlcheck's hooks, the same dictionary where it has none."""
    own = {key for name in _HOOKS for key, hook in (attributes.get(name) or {}).items() if _ours(hook)}
    if not own:
        return attributes
    kept = dict(attributes)
    for name in (*_HOOKS, *_FLAGS):
        if name in kept:
            kept[name] = type(kept[name])((key, value) for key, value in kept[name].items() if key not in own)
    return kept


def _ours(hook: object) -> bool:
    return str(getattr(hook, "__module__", "")).startswith("dlcheck.")
