"""On which line of a CSV file each of its rows begins."""

from __future__ import annotations

import csv
from pathlib import Path


def row_lines(path: Path, *, header: bool, separator: str) -> list[int]:
    """Return the line, counted from 1, on which each row begins; quoted line breaks and empty lines are minded.

    Empty where the separator is more than one character, or the file cannot be read as such.
    """
    if len(separator) != 1:
        return []
    lines: list[int] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
            before = 0
            for row in reader:
                if any(cell.strip() for cell in row) or len(row) > 1:
                    lines.append(before + 1)
                before = reader.line_num
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return lines[1:] if header else lines
