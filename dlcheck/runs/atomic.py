"""Files that are whole or not there at all."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dlcheck.errors import DlcheckError, one_line

_CHUNK = 1 << 20
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What file systems say that cannot sync a folder."""


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a crash at any moment, sees the old content or the new one.

    Raises:
        DlcheckError: no space, no permission, or no such folder; the old file is left as it was.
    """
    with atomic_file(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


def write_kept(path: Path, content: memoryview, former: Path) -> None:
    """Write a file that takes its place only once it was read back; the one before goes on as ``former``.

    What is compared is every byte, after the system was asked to forget what it holds of the file in memory. At any
    moment one of the two is there, whole.

    Raises:
        DlcheckError: as ``write_atomic``, or the disk gives back something else; the old files are as they were.
    """
    with atomic_file(path, proof=lambda written: _prove(written, content), former=former) as file:
        file.write(content)


@contextmanager
def atomic_file(
    path: Path, *, proof: Callable[[Path], None] | None = None, former: Path | None = None
) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place when the block ends without an exception.

    The file is synced before it gets its name, the folder after that: neither a kill nor a power cut leaves a part.

    Args:
        path: The file.
        proof: Called with the synced temporary file; what it raises keeps the old one.
        former: What the old file is called from then on; None: it goes.

    Raises:
        DlcheckError: the file system refuses; the temporary file is gone and the old file as it was.
    """
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            yield file  # type: ignore[misc]  # the wrapper is a BinaryIO in all but name
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # temporary files are private; the user's others are not
        if proof is not None:
            proof(temporary)
        if former is not None:
            _keep(path, former)
        temporary.replace(path)
        temporary = None
        sync_folder(path.parent)
    except OSError as error:
        raise refused(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make the names in a folder last through a power cut, where the file system can.

    Raises:
        OSError: the disk fails.
    """
    try:
        folder = os.open(path, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(folder)


def sweep(folder: Path) -> None:
    """Take away the temporary files and folders of writers that were killed; none may be at work in the folder."""
    for path in folder.glob(".*.tmp"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def refused(path: Path, error: OSError) -> DlcheckError:
    """Return the one line for a write that the file system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DlcheckError(f"{path}: no space left on the device; free some, or write to another")
    if error.errno == errno.EROFS:
        return DlcheckError(f"{path}: cannot write: the file system is read-only")
    if error.errno == errno.ENOENT and not path.parent.is_dir():
        return DlcheckError(f"{path}: cannot write: there is no folder {path.parent}")
    return DlcheckError(f"{path}: cannot write: {one_line(error)}")


def _keep(path: Path, former: Path) -> None:
    """Call a file by another name beside its own, so that its own is never missing; where links exist."""
    if not path.exists():
        return
    link = former.with_name(f".{former.name}.{os.getpid()}.tmp")
    try:
        link.unlink(missing_ok=True)
        os.link(path, link)
    except OSError:  # a file system without links: for a moment only the former is there
        path.replace(former)
        return
    link.replace(former)


def _prove(path: Path, content: memoryview) -> None:
    """Read a file again, from the disk where the system allows it, and compare.

    Raises:
        OSError: it is not what was written.
    """
    place = 0
    with path.open("rb", buffering=0) as file:
        if hasattr(os, "posix_fadvise"):
            with suppress(OSError):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while chunk := file.read(_CHUNK):
            if bytes(content[place : place + len(chunk)]) != chunk:
                break
            place += len(chunk)
    if place != content.nbytes:
        raise OSError(errno.EIO, "what the disk gives back is not what was written")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
