"""Stands for another object, and passes on every attribute, both ways."""

from __future__ import annotations

from typing import Any


class StandIn:
    """Base of what is put in the place of a user's object; it pickles, and says that it is of the inner class."""

    __slots__ = ("_dlcheck_inner",)

    def __init__(self, inner: Any) -> None:
        object.__setattr__(self, "_dlcheck_inner", inner)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The inner class, for code that asks what it was given."""
        return type(self._dlcheck_inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_dlcheck_inner"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._dlcheck_inner, name, value)  # as a ``worker_init_fn`` that gives each worker its share

    def __delattr__(self, name: str) -> None:
        delattr(self._dlcheck_inner, name)

    def __repr__(self) -> str:
        return repr(self._dlcheck_inner)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (self._dlcheck_inner,)
