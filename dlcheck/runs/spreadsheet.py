"""Cells of the CSV files that people open: text stays text, whatever a spreadsheet would make of it."""

import math

from dlcheck.runs.numerals import is_plain_number

Cell = str | int | float | None
BREAKS = {"\0": "\\0", "\r": "\\r", "\n": "\\n"}
FORMULA = ("=", "+", "-", "@", "\t", "|", "%")
"""First characters by which a spreadsheet takes a cell for a formula or a command (OWASP, "CSV Injection")."""


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
