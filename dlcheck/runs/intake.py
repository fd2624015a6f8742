"""How much of a log is read, and from where: what lies in it must not decide over the machine that reads it."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from dlcheck.errors import DlcheckError, printable

MOST_BYTES = 4_000_000_000
"""Of one file: ten million rows of ten numbers are a quarter of it, and a machine that trains can hold it."""
MOST_ENTRIES = 2_000_000
"""Files and folders that a search looks at: ten thousand runs of a hundred files are half of them."""
MOST_DEPTH = 64
"""Folders within each other that a search enters: twice what experiment trees of any tool have."""
MOST_SERIES = 10_000
"""Curves of one run, as columns of a table: a logger that makes more has put a number into its names."""
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_KINDS = (
    (stat.S_ISFIFO, "a pipe; dlcheck diagnose - reads standard input"),
    (stat.S_ISSOCK, "a socket, not a file"),
    (stat.S_ISCHR, "a device, not a file"),
    (stat.S_ISBLK, "a device, not a file"),
)


@dataclass(frozen=True, slots=True)
class Intake:
    """What holds while one log is read."""

    most_bytes: int = MOST_BYTES
    root: str | None = None
    """The real path of the folder that is the log, out of which no link may lead; None for a file."""


_intake: ContextVar[Intake] = ContextVar("intake", default=Intake())  # noqa: B039  # frozen


@contextmanager
def taking_in(path: Path, most_bytes: int) -> Iterator[None]:
    """Bound what ``open_log`` opens while the log at this path is read."""
    token = _intake.set(Intake(most_bytes, os.path.realpath(path) if path.is_dir() else None))
    try:
        yield
    finally:
        _intake.reset(token)


def open_log(path: Path, *, whole: bool = True) -> BufferedReader:
    """Open a file for reading: one that ends, is not too large, and lies within the folder that is read.

    Args:
        path: The file.
        whole: Whether all of it is to be read; a look at its beginning or end takes a file of any size.

    Raises:
        OSError: it is none, or cannot be opened; in one line.
    """
    bounds = _intake.get()
    most = bounds.most_bytes if whole else None
    if bounds.root is not None and (leads := leads_outside(path, bounds.root)):
        raise OSError(f"a link out of this folder, to {printable(leads)}; name that file itself")
    _refuse(path.stat(), most)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _refuse(os.fstat(handle), most)  # of what is really open, whatever took its place meanwhile
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def bytes_of(path: Path) -> bytes:
    """Return a file's bytes, as ``open_log`` opens it.

    Raises:
        OSError: see there.
    """
    with open_log(path) as file:
        return file.read()


def leads_outside(path: Path, root: str) -> str | None:
    """Return where a path really is, when that is outside of a folder given by its real path; else None."""
    real = os.path.realpath(path)
    return None if real == root or real.startswith(root.rstrip(os.sep) + os.sep) else real


def files_below(root: Path, suffix: str = "", *, most: int = MOST_SERIES) -> Iterator[Path]:
    """Yield the files below a folder whose names end so, by name; no link is followed.

    Raises:
        OSError: the folder cannot be read, or has more files, or folders within each other, than a log has.
    """
    found: list[Path] = []
    todo = [(root, 0)]
    while todo:
        folder, depth = todo.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append((Path(entry.path), depth + 1))
                elif entry.name.endswith(suffix) and entry.is_file(follow_symlinks=False):
                    found.append(Path(entry.path))
        if len(found) + len(todo) > most or depth > MOST_DEPTH:
            raise OSError(f"more than {most} files, or {MOST_DEPTH} folders within each other, in {root.name}")
    yield from sorted(found)


def no_file(path: Path) -> str | None:
    """Return what is at a path that a reader could wait for or never end with; None for a file, or nothing."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    return next((what for is_kind, what in _KINDS if is_kind(mode)), None)


def read_size(text: str) -> int:
    """Return the bytes of a size such as ``800MB``, ``2GiB`` or ``5000000``.

    Raises:
        DlcheckError: it is none.
    """
    found = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([a-zA-Z]{0,3})\s*", text)
    if found is None or found[2].lower() not in _UNITS or float(found[1]) <= 0:
        raise DlcheckError(f"--max-size {text}: expected a size as 800MB, 2GiB or 5000000 (bytes)")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def _refuse(state: os.stat_result, most_bytes: int | None) -> None:
    kind = next((what for is_kind, what in _KINDS if is_kind(state.st_mode)), None)
    if kind is not None:
        raise OSError(kind)
    if most_bytes is not None and state.st_size > most_bytes:
        size = state.st_size
        raise OSError(
            f"too large: {_told(size)}, and at most {_told(most_bytes)} are read; --max-size {_above(size)} reads it"
        )


def _told(size: int) -> str:
    unit = next((name for name in ("TB", "GB", "MB", "kB") if size >= _UNITS[name.lower()]), "bytes")
    return f"{size / _UNITS.get(unit.lower(), 1):.3g} {unit}"


def _above(size: int) -> str:
    unit = "GB" if size >= _UNITS["gb"] else "MB"
    return f"{-(-size // _UNITS[unit.lower()])}{unit}"
