"""Files that are whole or not there at all."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dlcheck.errors import DlcheckError, one_line


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file so that a reader, or a crash at any moment, sees the old content or the new one.

    Raises:
        DlcheckError: no space, no permission, or no such folder; the old file is left as it was.
    """
    with atomic_file(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place when the block ends without an exception.

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
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise refused(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def refused(path: Path, error: OSError) -> DlcheckError:
    """Return the one line for a write that the file system refused."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DlcheckError(f"{path}: no space left on the device; free some, or choose another --output")
    return DlcheckError(f"{path}: cannot write: {one_line(error)}")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
