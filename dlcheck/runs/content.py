"""The bytes of a file: its beginning for recognition, its text, and what is no text at all."""

import codecs
from functools import lru_cache
from pathlib import Path

from dlcheck.errors import DlcheckError, one_line
from dlcheck.runs.intake import bytes_of, open_log

HEAD_BYTES = 65536
_KNOWN_BINARIES = (
    (b"\x1f\x8b", "the file is gzip-compressed; unpack it first"),
    (b"PK\x03\x04", "the file is a zip archive; unpack it first"),
    (b"SQLite format 3", "the file is an SQLite database; export its metrics as CSV"),
    (b"\x89PNG", "the file is an image"),
    (b"\xff\xd8", "the file is an image"),
    (b"%PDF", "the file is a PDF document"),
    (b"\x7fELF", "the file is a program"),
    (b"\x89HDF", "the file is an HDF5 file"),
)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def head(path: Path) -> bytes:
    """Return the first 64 KiB of a file, nothing for what cannot be read."""
    try:
        state = path.stat()
        return _head(path, state.st_mtime_ns, state.st_size)
    except (OSError, ValueError):
        return b""


def head_text(path: Path) -> str:
    """Return the first 64 KiB of a text file, without its last line where that is cut; empty for no text."""
    content = head(path)
    text = decode(content) if is_text(content) else ""
    # One line may be all there is: a history dumped as JSON without line breaks.
    return text[: text.rfind("\n") + 1] or text if len(content) == HEAD_BYTES else text


def content_of(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        DlcheckError: it cannot be read.
    """
    try:
        return bytes_of(path)
    except (OSError, ValueError) as error:
        raise DlcheckError(f"{path}: cannot read: {one_line(error)}") from None


def text_of(path: Path) -> str:
    """Return a text file's whole text; bytes that are no UTF-8 become replacement characters.

    Raises:
        DlcheckError: it cannot be read, or holds no text.
    """
    content = content_of(path)
    if not is_text(content[:HEAD_BYTES]):
        raise DlcheckError(f"{path}: {why_no_text(content[:HEAD_BYTES]) or 'the file is not text'}")
    return decode(content)


def decode(content: bytes) -> str:
    """Return text of UTF-8, or of UTF-16 where a byte-order mark says so."""
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, errors="replace")
    return content.decode("utf-8", errors="replace")


def is_text(content: bytes) -> bool:
    """Return whether bytes look like text: no NUL byte, no pickle, few other control characters."""
    if not content or is_pickle(content):
        return False
    if content.startswith(_BOMS[1][0]) or content.startswith(_BOMS[2][0]):
        return True
    if b"\0" in content:
        return False
    control = sum(content.count(byte) for byte in range(1, 32) if byte not in b"\b\t\n\x0b\f\r\x1b")
    return control * 50 <= len(content)


def is_pickle(content: bytes) -> bool:
    """Return whether bytes begin as a pickle of protocol 2 to 5 does (Python's pickletools: PROTO)."""
    return len(content) > 2 and content[0] == 0x80 and content[1] in (2, 3, 4, 5)


def why_no_text(content: bytes) -> str | None:
    """Return why the beginning of a file holds no text, None where it does."""
    if not content:
        return "the file is empty"
    if is_pickle(content):
        return "the file is a pickle, which could run code; dlcheck never loads one: save the history as JSON or CSV"
    known = next((why for magic, why in _KNOWN_BINARIES if content.startswith(magic)), None)
    return known or (None if is_text(content) else "the file is binary, in no format that dlcheck reads")


def why_no_log(path: Path) -> str | None:
    """Return why a path cannot be a training log at all; None where its content has to be looked at."""
    if path.is_dir():
        return None
    try:
        with open_log(path, whole=False) as file:
            return why_no_text(file.read(HEAD_BYTES))
    except (OSError, ValueError) as error:
        return f"cannot read: {one_line(error)}"


@lru_cache(maxsize=8)
def _head(path: Path, modified_ns: int, size: int) -> bytes:
    with open_log(path, whole=False) as file:
        return file.read(HEAD_BYTES)
