"""With which random numbers a loader's workers begin, told by the workers themselves."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcheck.runs.facts import Site, WorkerSeeds
from dlcheck.watching.place import is_users, shown

Initialise = Callable[[int], None]
EPOCHS = 2
"""Starts of a loader's workers that are looked at."""
STREAMS = ("numpy", "python", "torch")


@dataclass(frozen=True, slots=True)
class Probe:
    """Stands in a worker for its ``worker_init_fn``: calls that, and notes the state of the streams after it.

    No number is drawn. Whatever fails in here is left out; only what the user's own function raises goes on.
    """

    original: Initialise | None
    file: str
    loader: int
    start: int

    def __call__(self, worker: int) -> None:
        """Initialise the worker as it would be, and tell of it."""
        if self.original is not None:
            self.original(worker)
        try:
            self._tell(worker, {"streams": _states()})
            _watch_first_fetch(lambda used: self._tell(worker, {"used": used}))
        except Exception:  # a worker's data matter more than what is known of it
            return

    def _tell(self, worker: int, found: dict[str, object]) -> None:
        line = json.dumps({"loader": self.loader, "start": self.start, "worker": worker, **found}) + "\n"
        handle = os.open(self.file, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)


def _states() -> dict[str, str]:
    """Return a digest of each global stream's state."""
    import torch

    states = {"python": repr(random.getstate()).encode(), "torch": torch.get_rng_state().numpy().tobytes()}
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        state = numpy.random.get_state()
        states["numpy"] = state[1].tobytes() + repr(state[2:]).encode()
    return {name: hashlib.blake2b(state, digest_size=8).hexdigest() for name, state in states.items()}


def _watch_first_fetch(tell: Callable[[list[str]], None]) -> None:
    """Note, in this process alone, which streams the first batch draws from."""
    from torch.utils.data._utils import fetch

    kinds: list[Any] = [fetch._MapDatasetFetcher, fetch._IterableDatasetFetcher]
    originals = [kind.fetch for kind in kinds]

    def first(original: Callable[..., Any]) -> Callable[..., Any]:
        def fetched(self: Any, indices: Any) -> Any:
            for kind, before in zip(kinds, originals, strict=True):
                kind.fetch = before
            begun = _careful(_states) or {}
            batch = original(self, indices)
            ended = _careful(_states) or {}
            _careful(lambda: tell([name for name in begun if begun[name] != ended.get(name)]))
            return batch

        return fetched

    for kind, original in zip(kinds, originals, strict=True):
        kind.fetch = first(original)


def _careful(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception:
        return None


class Workers:
    """Hands out probes, and reads what they wrote."""

    def __init__(self) -> None:
        self._folder: str | None = None
        self._loaders: weakref.WeakKeyDictionary[Any, list[int]] = weakref.WeakKeyDictionary()
        """Number of each loader, and how often its workers were started."""
        self._count = 0
        self._sites: dict[int, Site | None] = {}
        self._numbers: dict[int, int] = {}
        """Of the loaders of sources, by identity."""

    def probe(self, loader: Any) -> Probe | None:
        """Return what to give to the workers that are started now; None when enough is known."""
        known = self._loaders.setdefault(loader, [self._count, 0])
        if not known[1]:
            self._count += 1
            self._sites[known[0]] = _site(loader.worker_init_fn)
        known[1] += 1
        if known[1] > EPOCHS:
            return None
        return Probe(loader.worker_init_fn, str(self._file()), known[0], known[1] - 1)

    def belongs(self, loader: Any, source: object) -> None:
        """Take note of the source of batches that a loader is."""
        if loader in self._loaders:
            self._numbers.setdefault(id(source), self._loaders[loader][0])

    def fact(self, source: object) -> WorkerSeeds | None:
        """Return how the workers of a source began; None without any that told."""
        number = self._numbers.get(id(source))
        if number is None or self._folder is None:
            return None
        starts: tuple[dict[int, dict[str, str]], ...] = ({}, {})
        used: set[str] = set()
        for row in _rows(self._file()):
            if row["loader"] == number:
                used |= set(row.get("used", ()))
                if "streams" in row:
                    starts[row["start"]][row["worker"]] = row["streams"]
        first, second = starts
        if not first:
            return None
        distinct = {name: len({streams.get(name) for streams in first.values()}) for name in STREAMS}
        same = [
            name
            for name in used - {"torch"}
            if len(second) == len(first) and _column(first, name) == _column(second, name)
        ]
        return WorkerSeeds(
            workers=len(first),
            numpy_distinct=distinct["numpy"],
            python_distinct=distinct["python"],
            torch_distinct=distinct["torch"],
            numpy_used="numpy" in used,
            python_used="python" in used,
            epochs_repeat=bool(same),
            site=self._sites[number],
        )

    def close(self) -> None:
        """Remove what the workers wrote."""
        if self._folder is not None:
            _remove(self._folder, os.getpid())
            self._folder = None

    def _file(self) -> Path:
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="dlcheck-")
            weakref.finalize(self, _remove, self._folder, os.getpid())
            (Path(self._folder) / "workers").touch()
        return Path(self._folder) / "workers"


def _remove(folder: str, process: int) -> None:
    """Remove a folder, in the process that made it: forked workers have it too."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _column(start: dict[int, dict[str, str]], name: str) -> list[tuple[int, str | None]]:
    return sorted((worker, streams.get(name)) for worker, streams in start.items())


def _rows(file: Path) -> list[dict[str, Any]]:
    """Return what was told; a worker may be writing its line just now."""
    lines = file.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


def _site(function: object) -> Site | None:
    code = getattr(function, "__code__", None)
    if code is None or not is_users(code.co_filename):
        return None
    return Site(shown(code.co_filename), code.co_firstlineno)
