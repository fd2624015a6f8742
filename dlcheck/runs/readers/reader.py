"""What a reader is, how the built-in ones are found, and the one that fits a path."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.runs.content import why_no_log
from dlcheck.runs.intake import MOST_BYTES, taking_in
from dlcheck.runs.run import Run


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a user says about a log."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Signal name, as ``val_loss``, to the raw name in the log that holds it, as ``eval/ce``."""
    most_bytes: int = MOST_BYTES
    """Of one file; a larger one is refused."""


DEFAULT_OPTIONS = ReadOptions()


@dataclass(frozen=True, slots=True)
class Reader:
    """One log format. A module of this package that sets ``READER`` to one is found by itself."""

    name: str
    """As shown in ``format``: lower case, words joined by hyphens."""
    matches: Callable[[Path], bool]
    """Whether a path holds this format, judged by its first 64 KiB or its listing; never raises."""
    read: Callable[[Path, ReadOptions], list[Run]]
    """Read every run that the path holds; raises DlcheckError where it is broken beyond its last record."""
    rank: int = 50
    """Readers are asked in rising order: exact formats before general ones."""
    folder: bool = False
    """Whether a folder as a whole is the log, rather than a file."""


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


def named_reader(name: str) -> Reader:
    """Return the reader of a format.

    Raises:
        DlcheckError: no reader has that name.
    """
    known = {reader.name: reader for reader in readers()}
    if name not in known:
        raise DlcheckError(f"--reader {name}: no such reader; {nearest(name, known)}")
    return known[name]


def recognise(path: Path) -> Reader | None:
    """Return the first reader that knows what a file or folder holds; None when none does."""
    is_folder = path.is_dir()
    fitting = (reader for reader in readers() if reader.folder == is_folder)
    return next((reader for reader in fitting if reader.matches(path)), None)


def read_runs(path: Path, *, reader: str | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> list[Run]:
    """Read every run in a log of any known format, oldest first.

    ``meta["format"]`` names the format: the reader, or what wrote the log where the reader could tell.

    Args:
        path: A file, or a folder that is one log.
        reader: The format, when it is not to be recognised by content.
        options: What the user says about the log.

    Raises:
        DlcheckError: nothing there, no reader knows the format, or the log is broken.
    """
    if not path.exists():
        raise DlcheckError(f"{path}: no such file or folder; expected a run folder or a training log")
    with taking_in(path, options.most_bytes):
        chosen = named_reader(reader) if reader else recognise(path)
        if chosen is None:
            raise DlcheckError(f"{path}: {_why_refused(path)}")
        runs = _read(chosen, path, options)
    return [replace(run, meta={"format": chosen.name, **run.meta}) for run in runs]


def read_run(path: Path, *, reader: str | None = None, options: ReadOptions = DEFAULT_OPTIONS) -> Run:
    """Read the only run of a log, or its last.

    Raises:
        DlcheckError: as ``read_runs``.
    """
    return read_runs(path, reader=reader, options=options)[-1]


def _read(reader: Reader, path: Path, options: ReadOptions) -> list[Run]:
    try:
        runs = reader.read(path, options)
    except DlcheckError as error:
        raise error if str(path) in str(error) else DlcheckError(f"{path}: {error}") from None
    except (OSError, RecursionError, MemoryError) as error:
        raise DlcheckError(f"{path}: cannot read as {reader.name}: {one_line(error)}") from None
    if not runs:
        raise DlcheckError(f"{path}: holds no run that reader {reader.name} knows")
    return runs


def _why_refused(path: Path) -> str:
    known = ", ".join(reader.name for reader in readers())
    return f"no training log: {why_no_log(path) or 'of no format that dlcheck knows'}; it reads: {known}"
