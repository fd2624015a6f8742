"""One at a time: locks that the operating system lets go of when their holder dies, however it dies."""

from __future__ import annotations

import fcntl
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from dlcheck.errors import DlcheckError


class Turn:
    """A lock on a file; entering waits for it, and it may be given up before the block ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self._file = self.path.open("a", encoding="utf-8")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Let the next one in; a second call does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Sole(Turn):
    """A lock that is had at once or not at all: two commands must not both take a study's workers for dead."""

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            DlcheckError: another process has it.
        """
        self._file = self.path.open("a", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise DlcheckError(
                f"{self.path.parent}: another dlcheck tune is at work on this study; "
                "dlcheck tune --status shows how far it is"
            ) from None
        return self
