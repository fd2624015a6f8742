"""A table of a row a step that stays bounded: a regular part of the rows is kept, and the extremes between them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dlcheck.runs.atomic import write_atomic
from dlcheck.runs.csv_log import Cell, CsvLog, csv_text, whole_lines

MOST_ROWS = 50_000
"""Regular rows kept at most: some hundred for each pixel that a chart has, and more than any rule needs."""
BLOCK = 128
"""Regular rows over which lowest and highest are told anew."""
BEYOND = 0.25
"""A row between two regular ones is extreme when it lies further outside of its block than this share of its range."""


@dataclass(slots=True)
class _Range:
    """What a column's kept rows of a block span."""

    low: float = math.inf
    high: float = -math.inf

    def add(self, value: float) -> bool:
        """Take in a value; return whether it is the first, or lies far outside of what was there."""
        if not math.isfinite(value):
            return True
        margin = BEYOND * (self.high - self.low) if self.low <= self.high else 0.0
        far = not self.low - margin <= value <= self.high + margin
        self.low, self.high = min(self.low, value), max(self.high, value)
        return far


@dataclass(slots=True)
class Sieve:
    """Chooses rows one by one, those of a step that is a multiple of ``every`` and the extremes between them."""

    every: int
    columns: int
    """Columns in which an extreme counts."""
    _block: int = -1
    _ranges: list[_Range] = field(default_factory=list)

    def keeps(self, step: int, values: Sequence[float | None]) -> bool:
        """Return whether to keep the row of a step; ``values`` are those of the columns that count, None absent."""
        block = step // (BLOCK * self.every)
        if block != self._block:
            self._block, self._ranges = block, [_Range() for _ in range(self.columns)]
        regular = step % self.every == 0
        seen = [span.add(value) for span, value in zip(self._ranges, values, strict=True) if value is not None]
        return regular or any(seen)


class ThinnedLog:
    """Appends to a CSV file of a row a step, and thins it whenever the steps have doubled beyond the bound.

    Which rows are kept follows from the steps alone: up to ``most`` multiples of ``every`` all of them, then every
    other, every fourth and so on. Thinning replaces the file as a whole; its last row is always kept.
    """

    def __init__(self, log: CsvLog, counted: Sequence[str], *, every: int = 1, most: int = MOST_ROWS) -> None:
        """Bound a log.

        Args:
            log: A table with the column ``step``.
            counted: Columns whose extremes are kept.
            every: Steps between two rows to begin with.
            most: Regular rows to keep.
        """
        self.log, self.most = log, most
        self._every = every
        self._step = log.columns.index("step")
        self._counted = [log.columns.index(name) for name in counted]
        self._sieve = Sieve(every, len(counted))

    def append(self, row: Sequence[Cell]) -> None:
        """Add a row, if it is one of those that are kept.

        Raises:
            DlcheckError: the file cannot be read or written.
        """
        step = int(row[self._step] or 0)
        stride = self.stride(step)
        if stride > self._sieve.every:
            self._thin(stride)
        if step % self._every == 0 and self._sieve.keeps(step, [_number(row[place]) for place in self._counted]):
            self.log.append(row)

    def flush(self) -> None:
        """Write the rows appended so far.

        Raises:
            DlcheckError: no space or no permission.
        """
        self.log.flush()

    def truncate_after(self, step: int) -> None:
        """Drop all rows of later steps, for a resume.

        Raises:
            DlcheckError: the file cannot be read or written.
        """
        self.log.truncate_after(step)
        self._sieve = Sieve(self.stride(step), len(self._counted))

    def stride(self, step: int) -> int:
        """Return the steps between two regular rows of a training that has come so far."""
        share = -(-step // (self._every * self.most))
        return self._every << max(share - 1, 0).bit_length()

    def _thin(self, stride: int) -> None:
        self.log.flush()
        header, *rows = csv.reader(io.StringIO(whole_lines(self.log.path)))
        self._sieve = Sieve(stride, len(self._counted))
        kept = [row for row in rows if self._sieve.keeps(int(row[self._step]), self._numbers(row))]
        if rows and (not kept or kept[-1] is not rows[-1]):
            kept.append(rows[-1])
        write_atomic(self.log.path, csv_text([header, *kept]))

    def _numbers(self, row: Sequence[str]) -> list[float | None]:
        return [float(row[place]) if row[place] else None for place in self._counted]


def _number(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, int | float) else None
