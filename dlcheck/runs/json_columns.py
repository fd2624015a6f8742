"""Long logs of one JSON object a line, all of the same names and plain numbers: read as columns, without objects."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

from dlcheck.runs.columns import Column, Table
from dlcheck.runs.content import content_of
from dlcheck.runs.delimited_frame import EXACT
from dlcheck.runs.json_text import text_blocks
from dlcheck.runs.run import Numbers

_LONG = 5_000_000  # bytes from which it pays
_PLAIN = re.compile(rb'\{(?:"[^"\\]*"\s*:\s*-?[0-9][0-9.eE+-]*\s*,\s*)*"[^"\\]*"\s*:\s*-?[0-9][0-9.eE+-]*\s*\}')
_NUMBER = re.compile(rb"(?<=:)(\s*)-?[0-9][0-9.eE+-]*")
_OF_NUMBERS = b"0123456789.eE+-,\n"


def plain_table(path: Path) -> Table | None:
    """Return the table of a long log whose lines differ in their numbers alone; None for any other.

    What stands between the numbers of the first line is taken out of all lines. Where anything else than numbers is
    left, or a line has more of them or fewer, some line is another.

    Raises:
        DlcheckError: the file cannot be read.
    """
    if path.stat().st_size < _LONG:
        return None
    content = content_of(path)
    first = content[: content.find(b"\n")].strip()
    names = _names(first)
    if names is None or not content.endswith(b"\n"):
        return None
    between = _NUMBER.sub(rb"\1\0", first).split(b"\0")
    parts: list[Numbers] = []
    for block in text_blocks(content):
        part = _numbers(block, between)
        if part is None:
            return None
        parts.append(part)
    del content
    columns = [np.concatenate([part[:, place] for part in parts]) for place in range(len(names))]
    rows = len(columns[0])
    present = np.broadcast_to(np.True_, rows)
    return Table([Column(name, values, present) for name, values in zip(names, columns, strict=True)], rows)


def _names(line: bytes) -> list[str] | None:
    """Return the names in a flat object of numbers, None where it is another, or tells a name twice."""
    if not _PLAIN.fullmatch(line):
        return None
    try:
        pairs = json.loads(line, object_pairs_hook=list)
    except ValueError:
        return None
    names = [str(name) for name, _ in pairs]
    return names if len(set(names)) == len(names) else None


def _numbers(block: bytes, between: list[bytes]) -> Numbers | None:
    """Return the numbers of lines, shape (lines, names); None where a line is another."""
    head, *inner, tail = between
    lines = block.count(b"\n")
    for piece, sign in ((tail + b"\n" + head, b"\n"), *((piece, b",") for piece in inner)):
        if any(piece in other for other in inner if other != piece) or piece == sign:
            return None
        block = block.replace(piece, sign)
    block = block.removeprefix(head).removesuffix(tail + b"\n")
    if block.translate(None, _OF_NUMBERS) or block.count(b",") != lines * len(inner):
        return None
    try:
        frame = pd.read_csv(io.BytesIO(block), header=None, dtype=np.float64, **EXACT)
    except (ValueError, OverflowError):
        return None
    values = frame.to_numpy(np.float64)
    whole = values.shape == (lines, len(inner) + 1) and bool(np.isfinite(values).all())
    return values if whole else None
