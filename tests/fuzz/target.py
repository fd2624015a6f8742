"""What is fuzzed: a name, valid examples to begin with, and what may be done with any bytes."""

from atexit import register
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

MOST_BYTES = 8192
"""Of one input."""
MOST_SECONDS = 10.0
"""Of the processor's time that one input may take."""
MOST_MIB = 256.0
"""By which one input of at most ``MOST_BYTES`` may raise the peak of the process's memory."""
_numbers = count()


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that takes bytes from outside."""

    name: str
    run: Callable[[bytes, Path], None]
    """Take the bytes, with an empty folder to write into; may raise DlcheckError, and nothing else."""
    seeds: Callable[[], Iterable[bytes]]
    """Small valid examples."""


@cache
def _root() -> Path:
    memory = Path("/dev/shm")
    root = Path(mkdtemp(prefix="dlcheck-fuzz-", dir=memory if memory.is_dir() else None))
    register(rmtree, root, ignore_errors=True)
    return root


@contextmanager
def empty_folder(root: Path | None = None) -> Iterator[Path]:
    """Give a folder whose path was never used before: what is remembered of a path belongs to it alone."""
    folder = (root or _root()) / str(next(_numbers))
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)
