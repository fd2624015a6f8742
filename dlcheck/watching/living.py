"""What is known of objects while they live, by their identity alone.

Containers of the standard library ask an object for its hash and compare it. A class of a script may define both from a
state that its constructor has not set yet, or that changes; metrics that are modules do.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class ByIdentity(MutableMapping[K, V]):
    """Values of living objects; the entry of an object goes when the object does."""

    def __init__(self) -> None:
        self._entries: dict[int, tuple[weakref.ref[K], V]] = {}

    def __getitem__(self, key: K) -> V:
        return self._entries[id(key)][1]

    def __setitem__(self, key: K, value: V) -> None:
        entries, name = self._entries, id(key)

        def gone(reference: weakref.ref[K]) -> None:
            if name in entries and entries[name][0] is reference:
                del entries[name]

        self._entries[name] = (weakref.ref(key, gone), value)

    def __delitem__(self, key: K) -> None:
        del self._entries[id(key)]

    def __contains__(self, key: object) -> bool:
        return id(key) in self._entries

    def __iter__(self) -> Iterator[K]:
        """Iterate over those that live now; what is added or goes meanwhile does no harm."""
        for reference, _ in list(self._entries.values()):
            key = reference()
            if key is not None:
                yield key

    def __len__(self) -> int:
        return len(self._entries)


class Living(Generic[K]):
    """Objects as long as they live, each of them once."""

    def __init__(self) -> None:
        self._known: ByIdentity[K, None] = ByIdentity()

    def add(self, one: K) -> None:
        """Take note of an object."""
        self._known[one] = None

    def update(self, many: Iterable[K]) -> None:
        """Take note of several."""
        for one in many:
            self.add(one)

    def __iter__(self) -> Iterator[K]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
