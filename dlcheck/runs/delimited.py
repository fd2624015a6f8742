"""Delimited text read as a table of numbers in which absent, NaN and infinite stay three states."""

import codecs
import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
import pandas as pd

from dlcheck.errors import DlcheckError
from dlcheck.runs.cells import cell_column
from dlcheck.runs.columns import Column, Table
from dlcheck.runs.content import HEAD_BYTES, content_of, decode, is_text, why_no_text
from dlcheck.runs.delimited_frame import may_hold_nan, parsed_frame, restored, with_stand_in
from dlcheck.runs.intake import open_log
from dlcheck.runs.run import Event
from dlcheck.runs.table_head import MOST_COLUMNS, TableHead, parse_head

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LONG = 5_000_000  # bytes from which pandas 3.1 parses a file, but no buffer, on all cores
_SETTLED_S = 2.0  # a file that is still written to may be cut short under a mapping, which ends the process
_FIRST = 4_000_000  # bytes in which a header ends
_MOST_BAD = 0.1  # share of torn or overlong rows from which a file is no table

Renaming = Callable[[tuple[str, ...]], tuple[str, ...]]


def read_delimited(path: Path, *, rename: Renaming = lambda names: names) -> Table:
    """Read a file of cells between commas, semicolons, tabs or bars.

    Takes a byte-order mark, UTF-16, bytes that are no UTF-8, decimal commas, blank lines, headers that come again,
    rows that are too short (their last cells are absent) and a last row that was torn off.

    Args:
        path: The file.
        rename: Names to use for the header's.

    Raises:
        DlcheckError: unreadable, no text, no table, or of more than 10,000 columns.
    """
    table = _from_disk(path, rename)
    return _from_memory(path, rename) if table is None else table


def _from_disk(path: Path, rename: Renaming) -> Table | None:
    """Read a long file of nothing but numbers without a copy of its bytes; None for any other."""
    size = _settled_size(path)
    if size < _LONG:
        return None
    try:
        with open_log(path) as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            first, last = content[:_FIRST], content[-1:]
            if first.startswith(_UTF16) or last == b"\0" or not is_text(first[:HEAD_BYTES]):
                return None
            header = _header(first, path)
            if may_hold_nan(content, header):
                return None
    except (OSError, ValueError):
        return None
    frame = parsed_frame(str(path.absolute()), header, _unique(rename(header.names)))
    if frame is None or _settled_size(path) != size:
        return None
    return _table(frame, header, ended=last in b"\r\n")


def _settled_size(path: Path) -> int:
    try:
        state = path.stat()
    except (OSError, ValueError):
        return 0
    # A file of the future was written before the clock was set back: whoever writes to it now makes it one of now.
    return state.st_size if abs(time.time() - state.st_mtime) >= _SETTLED_S else 0


def _from_memory(path: Path, rename: Renaming) -> Table:
    content = content_of(path)
    if content.startswith(_UTF16):
        content = decode(content).encode("utf-8")
    whole = content.rstrip(b"\0")  # a crash of the machine leaves zeros at the end
    if not is_text(whole[:HEAD_BYTES]):
        raise DlcheckError(f"{path}: {why_no_text(whole[:HEAD_BYTES]) or 'the file is not text'}")
    header = _header(whole, path)
    names, events = _unique(rename(header.names)), list[Event]()
    frame = parsed_frame(with_stand_in(whole, header), header, names)
    if frame is None:
        frame, events = _careful(whole, header, names, path)
    table = _table(frame, header, ended=whole.endswith((b"\n", b"\r")), events=events)
    torn = (
        [Event("truncated", detail={"row": table.rows, "why": "zeros at the end"})] if len(whole) < len(content) else []
    )
    return replace(table, events=[*table.events, *torn])


def _header(content: bytes, path: Path) -> TableHead:
    first = content.lstrip()[:_FIRST].split(b"\n", 1)[0]
    if max(first.count(sign) for sign in (b",", b";", b"\t")) >= MOST_COLUMNS:
        raise DlcheckError(f"{path}: more than {MOST_COLUMNS} columns; a training log has fewer")
    text = decode(content[: 4 * HEAD_BYTES])
    if len(content) > 4 * HEAD_BYTES:
        text = text[: text.rfind("\n") + 1]
    header = parse_head(text)
    if header is None:
        raise DlcheckError(f"{path}: no training log: not a table with a header and rows of as many cells")
    return header


def _table(frame: pd.DataFrame, header: TableHead, *, ended: bool, events: Sequence[Event] = ()) -> Table:
    frame, torn = (frame, []) if ended else _without_torn_end(frame)
    frame, breaks, again = _without_headers(frame, header)
    columns, texts, bad = _columns(frame, header.decimal)
    return Table(columns, len(frame), texts, [*events, *again, *bad, *torn], breaks)


def _unique(names: Sequence[str]) -> list[str]:
    counted: dict[str, int] = {}
    unique = []
    for place, name in enumerate(names):
        plain = name or f"unnamed_{place}"
        counted[plain] = counted.get(plain, 0) + 1
        unique.append(plain if counted[plain] == 1 else f"{plain}.{counted[plain] - 1}")
    return unique


def _careful(content: bytes, header: TableHead, names: list[str], path: Path) -> tuple[pd.DataFrame, list[Event]]:
    """Read row by row, and leave out those of more cells than the header."""
    lines = decode(content).replace("\r\n", "\n").replace("\r", "\n").split("\n")[header.skip + 1 :]
    rows: list[list[str | None]] = []
    bad: list[int] = []
    try:
        for number, row in enumerate(csv.reader(lines, delimiter=header.separator, skipinitialspace=True)):
            if len(row) > len(names):
                bad.append(number)
            elif row:
                rows.append([cell if cell.strip() else None for cell in row] + [None] * (len(names) - len(row)))
    except csv.Error:
        raise DlcheckError(f"{path}: no training log: a cell of the table never ends") from None
    if len(bad) > 1 + _MOST_BAD * len(rows):
        raise DlcheckError(f"{path}: no training log: {len(bad)} rows have more cells than the header")
    events = [Event("bad-record", detail={"line": number + header.skip + 2, "why": "too many cells"}) for number in bad]
    return pd.DataFrame(rows, columns=pd.Index(names), dtype=object), events


def _without_torn_end(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[Event]]:
    """Drop a last row, which no line's end follows, that has fewer cells than the row before."""
    if len(frame) < 2:
        return frame, []
    last, before = (int(frame.iloc[place].notna().to_numpy().nonzero()[0].max(initial=-1)) for place in (-1, -2))
    if last >= before:
        return frame, []
    return frame.iloc[:-1], [Event("truncated", detail={"row": len(frame) - 1, "why": "the last row is torn"})]


def _without_headers(frame: pd.DataFrame, header: TableHead) -> tuple[pd.DataFrame, list[int], list[Event]]:
    """Drop rows that repeat the header; return before which rows they stood."""
    place = next((at for at, name in enumerate(header.names) if name), 0)
    column = frame.iloc[:, place] if frame.shape[1] else None
    if column is None or column.dtype.kind in "fiub":
        return frame, [], []
    again = (column.astype(str).str.strip() == header.names[place]).to_numpy()
    rows = np.flatnonzero(again)
    breaks = [int(row) - before for before, row in enumerate(rows)]
    events = [Event("repeated-header", detail={"row": row}) for row in breaks]
    return (frame[~again] if len(rows) else frame), [row for row in breaks if row], events


def _columns(frame: pd.DataFrame, decimal: str) -> tuple[list[Column], list[str], list[Event]]:
    columns: list[Column] = []
    texts: list[str] = []
    events: list[Event] = []
    for place, name in enumerate(map(str, frame.columns)):
        series = frame.iloc[:, place]
        found = _numeric(name, series) if series.dtype.kind in "fiu" else cell_column(name, series, decimal)
        if isinstance(found, Column):
            columns.append(found)
            continue
        column, bad = found
        events += bad
        if column is None:
            texts.append(name)
        else:
            columns.append(restored(column))
    return columns, texts, events


def _numeric(name: str, series: "pd.Series[float]") -> Column:
    values = np.asarray(series, dtype=np.float64)
    return restored(Column(name, values, ~np.isnan(values)))
