"""Delimited text read as a table of numbers in which absent, NaN and infinite stay three states."""

import codecs
import csv
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from dlcheck.errors import DlcheckError
from dlcheck.runs.cells import cell_column
from dlcheck.runs.columns import Column, Table
from dlcheck.runs.content import HEAD_BYTES, content_of, decode, is_text, why_no_text
from dlcheck.runs.run import Event
from dlcheck.runs.table_head import MOST_COLUMNS, TableHead, parse_head

_STAND_IN = b"7e307"  # no log holds it, and it is short
_MOST_BAD = 0.1  # share of torn or overlong rows from which a file is no table


def read_delimited(path: Path, *, rename: Callable[[tuple[str, ...]], tuple[str, ...]] = lambda names: names) -> Table:
    """Read a file of cells between commas, semicolons, tabs or bars.

    Takes a byte-order mark, UTF-16, bytes that are no UTF-8, decimal commas, blank lines, headers that come again,
    rows that are too short (their last cells are absent) and a last row that was torn off.

    Args:
        path: The file.
        rename: Names to use for the header's.

    Raises:
        DlcheckError: unreadable, no text, no table, or of more than 10,000 columns.
    """
    content = content_of(path)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = decode(content).encode("utf-8")
    whole = content.rstrip(b"\0")  # a crash of the machine leaves zeros at the end
    if not is_text(whole[:HEAD_BYTES]):
        raise DlcheckError(f"{path}: {why_no_text(whole[:HEAD_BYTES]) or 'the file is not text'}")
    header = _header(whole, path)
    table = _read(whole, header, path, rename(header.names))
    torn = (
        [Event("truncated", detail={"row": table.rows, "why": "zeros at the end"})] if len(whole) < len(content) else []
    )
    return replace(table, events=[*table.events, *torn])


def _header(content: bytes, path: Path) -> TableHead:
    first = content.lstrip()[:4_000_000].split(b"\n", 1)[0]
    if max(first.count(sign) for sign in (b",", b";", b"\t")) >= MOST_COLUMNS:
        raise DlcheckError(f"{path}: more than {MOST_COLUMNS} columns; a training log has fewer")
    text = decode(content[: 4 * HEAD_BYTES])
    if len(content) > 4 * HEAD_BYTES:
        text = text[: text.rfind("\n") + 1]
    header = parse_head(text)
    if header is None:
        raise DlcheckError(f"{path}: no training log: not a table with a header and rows of as many cells")
    return header


def _read(content: bytes, header: TableHead, path: Path, names: tuple[str, ...]) -> Table:
    unique = _unique(names)
    frame = _quick(content, header, unique)
    events: list[Event] = []
    if frame is None:
        frame, events = _careful(content, header, unique, path)
    frame, torn = _without_torn_end(frame, content)
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


def _quick(content: bytes, header: TableHead, names: list[str]) -> pd.DataFrame | None:
    """Read by pandas' parser in C; None where a row has more cells than the header."""
    prepared = _with_stand_in(content, header)
    for in_pieces in (True, False):  # in pieces is faster, where a column is of one kind in all of them
        try:
            return _parsed(prepared, header, names, in_pieces=in_pieces)
        except pd.errors.DtypeWarning:
            continue
        except (pd.errors.ParserError, pd.errors.EmptyDataError, Warning, ValueError, OverflowError):
            return None
    return None


def _parsed(content: bytes, header: TableHead, names: list[str], *, in_pieces: bool) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return pd.read_csv(
            io.BytesIO(content),
            sep=header.separator,
            decimal=header.decimal,
            names=names,
            header=None,
            skiprows=header.skip + 1,
            index_col=False,
            keep_default_na=False,
            na_values=[""],
            skipinitialspace=True,
            low_memory=in_pieces,
            encoding_errors="replace",
        )


def _with_stand_in(content: bytes, header: TableHead) -> bytes:
    """Put a number in place of each cell ``nan``, so that its column is parsed as numbers.

    To pandas' parser in C ``nan`` is either the same as an empty cell, or a word that makes text of the column,
    which takes ten times as long.
    """
    separator, start = header.separator.encode(), 0
    for _ in range(header.skip + 1):
        start = content.find(b"\n", start) + 1
    if content.find(b"n", start) < 0 and content.find(b"N", start) < 0:  # one letter is found faster than a word
        return content
    for word in (b"nan", b"NaN", b"NAN"):
        if separator + word not in content:
            continue
        for end in (separator, b"\n", b"\r"):
            for _ in range(2):  # cells next to each other share a separator
                content = content.replace(separator + word + end, separator + _STAND_IN + end)
    return content


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


def _without_torn_end(frame: pd.DataFrame, content: bytes) -> tuple[pd.DataFrame, list[Event]]:
    """Drop a last row without a line's end that has fewer cells than the row before."""
    if content.endswith((b"\n", b"\r")) or len(frame) < 2:
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
            columns.append(_restored(column))
    return columns, texts, events


def _numeric(name: str, series: "pd.Series[float]") -> Column:
    values = np.asarray(series, dtype=np.float64)
    return _restored(Column(name, values, ~np.isnan(values)))


def _restored(column: Column) -> Column:
    """Return a column with NaN where the stand-in is."""
    largest = np.fmax.reduce(np.abs(column.values), initial=0.0)
    if largest < 0.99 * float(_STAND_IN):
        return column
    stands = np.isclose(column.values, float(_STAND_IN), rtol=1e-9, atol=0.0)
    return replace(column, values=np.where(stands, np.nan, column.values))
