"""Rows for a person: a CSV that pandas reads in one line and a spreadsheet takes for text, not for formulas."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlcheck.runs import write_atomic
from dlcheck.runs.numerals import is_plain_number

Cell = str | int | float | None
Row = Mapping[str, Cell]
BREAKS = {"\0": "\\0", "\r": "\\r", "\n": "\\n"}
FORMULA = ("=", "+", "-", "@", "\t", "|", "%")
"""First characters by which a spreadsheet takes a cell for a formula or a command (OWASP, "CSV Injection")."""


def write_rows(folder: Path, name: str, rows: Sequence[Row]) -> Path:
    """Write rows as ``NAME.csv``; a file that says something else already stays, and the next free number is taken.

    Columns stand in the order in which they first occur; one that is empty throughout is left out.
    """
    text = to_csv(rows)
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = folder / (f"{name}.csv" if number == 1 else f"{name}-{number}.csv")
        if not path.exists():
            write_atomic(path, text)
            return path
        if path.is_file() and path.read_bytes() == text.encode():
            return path
        number += 1


def to_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV with a header line."""
    seen = dict.fromkeys(name for row in rows for name in row)
    columns = [name for name in seen if any(row.get(name) not in (None, "") for row in rows)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([safe(name) for name in columns])
    writer.writerows([safe(row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


def safe(cell: Cell) -> str:
    """Return a cell's text; what would be a formula gets an apostrophe in front, a number never does."""
    if cell is None:
        return ""
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, float):
        return "nan" if math.isnan(cell) else f"{cell:.6g}"
    # Names of files may hold bytes that are no text; a NUL or a line break within a cell ends what some readers see.
    text = cell.encode("utf-8", "backslashreplace").decode()
    for sign, shown in BREAKS.items():
        text = text.replace(sign, shown)
    return f"'{text}" if text.startswith(FORMULA) and not is_plain_number(text) else text
