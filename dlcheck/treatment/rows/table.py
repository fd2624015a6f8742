"""Rows for a person: a CSV that pandas reads in one line and a spreadsheet takes for text, not for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlcheck.runs import write_atomic
from dlcheck.runs.spreadsheet import Cell, safe

Row = Mapping[str, Cell]


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
