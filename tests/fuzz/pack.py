"""A folder of files as one byte string, so that a fuzzer can change names and contents alike."""

import re
from pathlib import Path

MARK = b"#@ "
_HEAD = re.compile(rb"^#@ ([^\n]*)\n", re.MULTILINE)
_MOST_FILES = 40
_MOST_NAME = 100

Files = list[tuple[str, bytes]]
"""Relative names with contents, in order; a later one of the same name takes the earlier one's place."""


def packed(files: Files) -> bytes:
    """Return the files behind each other, each below a line ``#@ name``."""
    return b"".join(MARK + name.encode("utf-8", "surrogateescape") + b"\n" + content + b"\n" for name, content in files)


def unpacked(content: bytes) -> Files:
    """Return the files in a byte string; what stands before the first name belongs to none."""
    heads = list(_HEAD.finditer(content))[:_MOST_FILES]
    ends = [*(head.start() for head in heads[1:]), len(content)][: len(heads)]
    return [
        (head[1].decode("utf-8", "surrogateescape"), content[head.end() : end].removesuffix(b"\n"))
        for head, end in zip(heads, ends, strict=True)
    ]


def write(files: Files, folder: Path) -> None:
    """Write the files below a folder; a name that would lead outside, or that the system refuses, is left out."""
    for name, content in files:
        parts = Path(name).parts
        if not parts or len(name) > _MOST_NAME or "\0" in name or ".." in parts or Path(name).is_absolute():
            continue
        place = folder / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        except OSError:  # a file where a folder should be, or the other way round
            continue
