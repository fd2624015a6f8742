"""One writer a run: a lock that the operating system lets go of when its holder dies, however it dies."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from types import TracebackType

from dlcheck.errors import DlcheckError
from dlcheck.runs.atomic import refused

LOCK = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
_held: set[Path] = set()


class Hold:
    """The right to write into a run folder, had at once or not at all. Use it as a context.

    It is a POSIX record lock: the processes that a training forks do not inherit it, so that a killed training's
    loader workers, which live on for some seconds, keep nobody out; and NFS passes it on to its server, so that it
    holds between hosts as well (mounted with ``nolock``, or on a file system without locks, it holds on one host or
    not at all). The file names the holder's host and process, for the message only: left by a dead one, it is no
    obstacle.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._place = folder, folder.resolve()
        self._file: int | None = None

    def __enter__(self) -> Hold:
        """Take the lock.

        Raises:
            DlcheckError: another training has it; or the folder cannot be written to.
        """
        if self._place in _held:  # a record lock does not keep a process from itself
            raise self._taken(_name())
        path = self.folder / LOCK
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise refused(path, error) from None
        try:
            if not _locked(file):
                raise self._taken(os.pread(file, 200, 0).decode(errors="replace").strip())
            os.ftruncate(file, 0)
            os.pwrite(file, f"{_name()}\n".encode(), 0)
        except OSError as error:
            os.close(file)
            raise refused(path, error) from None
        except DlcheckError:
            os.close(file)
            raise
        self._file = file
        _held.add(self._place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _held.discard(self._place)
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _taken(self, holder: str) -> DlcheckError:
        who = f" ({holder})" if holder else ""
        return DlcheckError(f"{self.folder}: another training is writing into this run folder{who}; wait for its end")


def _name() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


def _locked(file: int) -> bool:
    """Lock an open file; a system or file system without locks counts as free."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return True
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True
