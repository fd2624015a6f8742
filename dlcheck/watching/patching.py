"""Replacing attributes of other people's modules, and putting every one of them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Function = Callable[..., Any]


class Patches:
    """The attributes that were replaced, in order; ``undo`` leaves nothing of them behind."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def __bool__(self) -> bool:
        return bool(self._before)

    def replace(self, owner: Any, name: str, make: Callable[[Function], Function]) -> None:
        """Put ``make(original)`` in the place of ``owner.name``; a class must define the attribute itself."""
        original = vars(owner)[name]
        made = make(original)
        for word in ("__name__", "__qualname__", "__doc__", "__module__", "__annotations__"):
            if hasattr(original, word):
                setattr(made, word, getattr(original, word))
        made.__wrapped__ = original  # type: ignore[attr-defined]  # inspect.signature follows it
        self._before.append((owner, name, original))
        setattr(owner, name, made)

    def undo(self) -> None:
        """Put every original back, the latest first."""
        while self._before:
            owner, name, original = self._before.pop()
            setattr(owner, name, original)

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Put the originals back for a while, as compilers of source code need them."""
        held = [(owner, name, vars(owner)[name]) for owner, name, _ in self._before]
        for owner, name, original in reversed(self._before):
            setattr(owner, name, original)
        try:
            yield
        finally:
            for owner, name, made in held:
                setattr(owner, name, made)
