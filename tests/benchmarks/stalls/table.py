"""Tables of words and figures, as plain text or Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.benchmarks.faults.intervals import Share

NOTHING = "–"
Cell = str | int | float | Share | None


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], *, markdown: bool = False) -> str:
    """Return a table with a title; the first column is words, the others are figures."""
    cells = [[text(cell) for cell in row] for row in rows]
    if markdown:
        lines = [f"**{title}**", "", _piped(head), _piped(["---", *["---:"] * (len(head) - 1)]), *map(_piped, cells)]
        return "\n".join(lines) + "\n"
    widths = [max(len(row[index]) for row in [list(head), *cells]) for index in range(len(head))]
    lines = [title, _aligned(head, widths), "  ".join("-" * width for width in widths)]
    return "\n".join([*lines, *(_aligned(row, widths) for row in cells)]) + "\n"


def text(cell: Cell) -> str:
    """Return a cell in words: shares with their 95 % Wilson interval, what is not there as a dash."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return NOTHING
    if isinstance(cell, Share):
        if not cell.of:
            return NOTHING
        low, high = cell.interval
        return f"{cell.count}/{cell.of} = {100 * cell.rate:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = row
    return "  ".join(
        [first.ljust(widths[0]), *(one.rjust(width) for one, width in zip(others, widths[1:], strict=True))]
    )


def _piped(row: Sequence[str]) -> str:
    return f"| {' | '.join(row)} |"
