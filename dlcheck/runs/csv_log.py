"""Rows of numbers appended to a CSV file while training runs, and read back without losing a state."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlcheck.errors import DlcheckError, one_line
from dlcheck.runs.atomic import refused, write_atomic
from dlcheck.runs.intake import bytes_of
from dlcheck.runs.numerals import is_plain_number
from dlcheck.runs.run import Numbers

if TYPE_CHECKING:
    import pandas as pd

Cell = float | int | str | None
"""None is absent: an empty cell. NaN and the infinities are written as nan, inf and -inf."""


class CsvLog:
    """A CSV file with a fixed header that grows by rows.

    Appending only remembers the row; rows are formatted and written once a second, by ``flush`` and by
    ``close``. What was flushed survives the death of the process.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, flush_every_s: float = 1.0) -> None:
        """Start the file, or go on with an existing one after dropping a torn last line.

        Raises:
            DlcheckError: the file has another header, or cannot be written.
        """
        self.path = path
        self.columns = tuple(columns)
        self._flush_every_s = flush_every_s
        self._rows: list[Sequence[Cell]] = []
        self.rows = 0
        """Rows in the file after the last ``truncate_after``."""
        self._due_s = time.monotonic() + flush_every_s
        if path.exists() and path.stat().st_size:
            self._go_on(whole_lines(path))
        else:
            write_atomic(path, csv_text([self.columns]))

    def append(self, row: Sequence[Cell]) -> None:
        """Add a row with one cell for each column.

        Raises:
            DlcheckError: on the write that is due once a second, see ``flush``.
        """
        self.extend((row,))

    def extend(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Add several rows.

        Raises:
            DlcheckError: on the write that is due once a second, see ``flush``.
        """
        self._rows.extend(rows)
        if time.monotonic() >= self._due_s:
            self.flush()

    def flush(self, *, sync: bool = False) -> None:
        """Write the rows appended so far; ``sync``: down to the disk.

        Raises:
            DlcheckError: no space, no permission, or the file is gone; the rows are kept for the next attempt.
            ValueError: a row has more or fewer cells than the header.
        """
        self._due_s = time.monotonic() + self._flush_every_s
        if not self._rows:
            return
        rows = [[_plain(cell) for cell in row] for row in self._rows]
        if any(len(row) != len(self.columns) for row in rows):
            raise ValueError(f"{self.path.name}: a row needs {len(self.columns)} cells")
        self._write(csv_text(rows).encode("utf-8"), sync=sync)
        self._rows.clear()

    def close(self) -> None:
        """Write what is left."""
        self.flush()

    def truncate_after(self, step: int) -> None:
        """Drop all rows of later steps, for a resume; the file is replaced as a whole.

        Raises:
            DlcheckError: the file cannot be read or written.
        """
        self.flush()
        header, *rows = csv.reader(io.StringIO(whole_lines(self.path)))
        place = header.index("step")
        kept = [row for row in rows if float(row[place]) <= step]
        self.rows = len(kept)
        self._rewrite(csv_text([header, *kept]))

    def _go_on(self, text: str) -> None:
        header = tuple(next(csv.reader(io.StringIO(text)), ()))
        if header and header != self.columns:
            raise DlcheckError(f"{self.path}: has the columns {','.join(header)}; expected {','.join(self.columns)}")
        if len(text.encode("utf-8")) != self.path.stat().st_size:
            self._rewrite(text)

    def _rewrite(self, text: str) -> None:
        write_atomic(self.path, text or csv_text([self.columns]))

    def _write(self, content: bytes, *, sync: bool) -> None:
        # No buffer between: a partial write must not be repeated later by the interpreter. Never a new file: one that
        # was taken away under the run would come back without its header.
        end: int | None = None
        try:
            with self.path.open("rb+", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                rest = memoryview(content)
                while rest:
                    rest = rest[file.write(rest) :]
                if sync:
                    os.fsync(file.fileno())
        except FileNotFoundError:
            what = "this file" if self.path.parent.is_dir() else "its folder"
            raise DlcheckError(f"{self.path}: {what} was taken away while the training ran") from None
        except OSError as error:
            self._cut(end)
            raise refused(self.path, error) from error

    def _cut(self, end: int | None) -> None:
        if end is not None:
            with suppress(OSError), self.path.open("rb+") as file:
                file.truncate(end)


def whole_lines(path: Path) -> str:
    """Return a file's text without a last line that was torn off by a crash.

    Raises:
        DlcheckError: the file cannot be read, or is no UTF-8 text.
    """
    try:
        content = bytes_of(path)
        return content[: content.rfind(b"\n") + 1].decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DlcheckError(f"{path}: cannot read: {one_line(error)}") from None


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV file as text cells, absent ones empty, without a torn last line.

    Raises:
        DlcheckError: unreadable, or a row has more cells than the header.
    """
    import pandas as pd

    text = whole_lines(path)
    if not text.strip():
        return pd.DataFrame()
    try:
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except pd.errors.ParserError as error:
        raise DlcheckError(f"{path}: not a table: {one_line(error)}") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes surplus first cells for row names
        raise DlcheckError(f"{path}: not a table: its rows have more cells than its header")
    return table


def numbers(column: pd.Series[str], path: Path) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return a text column's numbers, shape (rows,), and which rows hold one; the others are NaN.

    Raises:
        DlcheckError: a cell is neither empty nor a number; names the file, the column and the line.
    """
    cells = column.to_numpy(dtype=object)
    present = cells != ""
    try:
        return np.where(present, cells, "nan").astype(np.float64), present
    except ValueError:
        line = next(row for row, cell in enumerate(cells) if cell and not is_plain_number(cell))
        message = f"{path}, line {line + 2}: {cells[line]!r} in column {column.name} is not a number"
        raise DlcheckError(message) from None


def _plain(cell: Cell) -> Cell:
    # Numbers of NumPy name their type when the csv module spells them.
    return float(cell) if isinstance(cell, float) else cell


def csv_text(rows: Iterable[Sequence[Cell]]) -> str:
    """Return rows as lines of a table."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
