"""Doing something the moment a package has been imported, and not importing it before.

A script may set ``OMP_NUM_THREADS`` or ``CUDA_VISIBLE_DEVICES`` ahead of its ``import torch``: loading torch for it
would change its numbers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class Arrival(MetaPathFinder):
    """Calls a function once, right after a package has been imported; at once where it already is."""

    def __init__(self, package: str, then: Callable[[], None]) -> None:
        self.package, self.then = package, then
        if package in sys.modules:
            then()
        else:
            sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the other finders find the package, and be told when it has been loaded."""
        if fullname != self.package:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(fullname, path, target) if find is not None else None
            if spec is not None and spec.loader is not None:
                spec.loader = _Telling(spec.loader, self._arrived)
                return spec
        return None

    def cancel(self) -> None:
        """Wait no longer."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def _arrived(self) -> None:
        self.cancel()
        self.then()


class _Telling(Loader):
    """The package's own loader, which tells when it is done and then stands in its own place again."""

    def __init__(self, loader: Loader, done: Callable[[], None]) -> None:
        self.loader, self.done = loader, done

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        self.done()
