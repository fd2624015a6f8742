"""The header of a delimited text file, and the sign between its cells."""

import csv
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dlcheck.runs.content import head_text
from dlcheck.runs.numerals import is_absent, number

MOST_COLUMNS = 10_000
_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 30  # lines looked at


@dataclass(frozen=True, slots=True)
class TableHead:
    """The first lines of a table."""

    separator: str
    decimal: str
    """The sign between whole and fraction of a number."""
    names: tuple[str, ...]
    """The header without blanks around its cells; an empty name stands for an unnamed column."""
    cells: tuple[tuple[str, ...], ...]
    """The rows after it, up to 30."""
    skip: int
    """Lines before the header: blank ones, and those of a comment."""


def table_head(path: Path) -> TableHead | None:
    """Return the header of a table, None where the file's beginning is none."""
    text = head_text(path)
    return parse_head(text) if text else None


@lru_cache(maxsize=8)
def parse_head(text: str) -> TableHead | None:
    """Return the header of a table's text: words first, and most lines below of as many cells."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    skip = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if skip is None:
        return None
    sample = [line for line in lines[skip : skip + _SAMPLE] if line.strip()]
    for separator in _in_order(sample):
        found = _head(sample, separator, skip)
        if found is not None:
            return found
    return None


def _in_order(sample: list[str]) -> list[str]:
    return sorted((sign for sign in _SEPARATORS if sign in sample[0]), key=lambda sign: -sample[0].count(sign))


def _head(sample: list[str], separator: str, skip: int) -> TableHead | None:
    try:
        rows = list(csv.reader(sample, delimiter=separator, strict=False))
    except csv.Error:
        return None
    names = tuple(name.strip() for name in rows[0])
    cells = tuple(tuple(cell.strip() for cell in row) for row in rows[1:])
    if not _is_header(names) or not _is_even(names, cells):
        return None
    return TableHead(separator, _decimal(cells, separator), names, cells, skip)


def _is_header(names: tuple[str, ...]) -> bool:
    words = sum(any(sign.isalpha() for sign in name) and number(name) is None for name in names)
    return len(names) > 1 and words * 2 >= len(names)


def _is_even(names: tuple[str, ...], cells: tuple[tuple[str, ...], ...]) -> bool:
    """Return whether rows have as many cells as the header; fewer where a metric was not measured."""
    if not cells:
        return False
    counts = Counter(len(row) for row in cells)
    fitting = sum(times for length, times in counts.items() if 2 <= length <= len(names))
    return fitting >= 0.8 * len(cells)


def _decimal(cells: tuple[tuple[str, ...], ...], separator: str) -> str:
    if separator == ",":
        return "."
    commas = [cell for row in cells for cell in row if cell.count(",") == 1 and number(cell, ",") is not None]
    points = [cell for row in cells for cell in row if "." in cell and not is_absent(cell)]
    return "," if len(commas) > len(points) else "."
