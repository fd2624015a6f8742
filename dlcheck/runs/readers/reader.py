"""What a reader is, how the built-in ones are found, and the one that fits a path."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs.run import Run


@dataclass(frozen=True, slots=True)
class Reader:
    """One log format. A module of this package that sets ``READER`` to one is found by itself."""

    name: str
    """As shown in ``format``: lower case, words joined by hyphens."""
    matches: Callable[[Path], bool]
    """Whether a path holds this format, judged by content; never raises."""
    read: Callable[[Path], Run]
    """Read it; raises DlcheckError where it is broken beyond its last line."""
    rank: int = 50
    """Readers are asked in rising order: exact formats before general ones."""


@cache
def readers() -> tuple[Reader, ...]:
    """Return all readers in the order in which they are asked."""
    package = importlib.import_module("dlcheck.runs.readers")
    modules = (
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    )
    found = [module.READER for module in modules if isinstance(getattr(module, "READER", None), Reader)]
    return tuple(sorted(found, key=lambda reader: (reader.rank, reader.name)))


def read_run(path: Path) -> Run:
    """Read a run of any known format; ``meta["format"]`` names it.

    Raises:
        DlcheckError: nothing there, no reader knows the format, or the file is broken.
    """
    if not path.exists():
        raise DlcheckError(f"{path}: no such file or folder; expected a run folder or a training log")
    for reader in readers():
        if reader.matches(path):
            run = reader.read(path)
            meta = {"format": reader.name, **run.meta}
            return Run(run.scalars, run.layers, run.phases, run.facts, run.events, meta)
    known = ", ".join(reader.name for reader in readers())
    raise DlcheckError(f"{path}: no training log that dlcheck knows; it reads: {known}")
