"""Files of a study's folder that are written anew each time, and never over what a person made of them."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import count
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs import write_atomic

KNOWN = ".written.json"
"""Digest of each file as it was written here."""


def write_ours(folder: Path, name: str, text: str) -> Path:
    """Write a file into a study's folder, and return where it lies.

    A file of that name that is not as it was last written here belongs to the user: it stays, and the new one is called
    ``best-2.toml``, ``best-3.toml``, …

    Raises:
        DlcheckError: it cannot be written.
    """
    known = _known(folder)
    for number in count(1):
        path = folder / name
        if number > 1:
            path = path.with_name(f"{path.stem}-{number}{path.suffix}")
        if not path.exists() or _digest(path) in (known.get(path.name), sha256(text.encode()).hexdigest()):
            break
    write_atomic(path, text)
    write_atomic(folder / KNOWN, json.dumps({**known, path.name: _digest(path)}, indent=1) + "\n")
    return path


def _known(folder: Path) -> dict[str, str]:
    try:
        content = json.loads((folder / KNOWN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(digest) for name, digest in content.items()} if isinstance(content, dict) else {}


def _digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DlcheckError(f"{path}: cannot be read: {error.strerror}") from None
