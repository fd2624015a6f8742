"""Long tables of a run folder, parsed as numbers at once: text cells of ten million rows would take gigabytes."""

from __future__ import annotations

import os
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs.columns import Column
from dlcheck.runs.delimited import read_delimited
from dlcheck.runs.intake import open_log

_LONG = 5_000_000  # bytes from which it pays


def long_columns(path: Path) -> list[Column] | None:
    """Return the columns of a long table of numbers, without a last line that was torn off; None for any other.

    Whoever gets None reads the table with care, and tells what is wrong with it.
    """
    try:
        if path.stat().st_size < _LONG:
            return None
        with open_log(path) as file:
            file.seek(-1, os.SEEK_END)
            whole = file.read() == b"\n"
        table = read_delimited(path)
    except (DlcheckError, OSError):
        return None
    torn = [event for event in table.events if event.kind == "truncated"]
    if table.texts or len(torn) < len(table.events):
        return None
    rows = table.rows - (not whole and not torn)
    return [Column(one.name, one.values[:rows], one.present[:rows]) for one in table.columns]
