"""A small curve of a few lines, without the charting library, which takes as long to load as the diagnosis."""

from collections.abc import Mapping, Sequence

import numpy as np

from dlcheck.report.chart import ASCII_MARKS, UNICODE_MARKS, finite, legend, logarithmic
from dlcheck.report.report import Series
from dlcheck.runs.run import Numbers

DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bit of each dot of a braille sign by row and column (The Unicode Standard, block Braille Patterns)."""
BRAILLE = 0x2800
SPARKS, SPARKS_ASCII = "▁▂▃▄▅▆▇█", "_.-=*#"


def sketch(
    series: Sequence[Series],
    *,
    width: int,
    height: int,
    marks: Mapping[str, float] | None = None,
    x_label: str = "",
    ascii: bool = False,  # the standard library's ascii() is not needed here
) -> str:
    """Return up to four curves as lines of text without any escapes, told apart by their signs.

    Values that are not finite leave a gap; of several points on one place lowest and highest are kept. The y axis is
    logarithmic where all values are positive and their range is wide. Empty without a finite value.

    Args:
        series: The curves.
        width: Columns, at least 20.
        height: Lines, at least 5: the curves', the axis, its ends, and the legend.
        marks: Places along x to mark by a vertical line, by label.
        x_label: What is along x.
        ascii: Only ASCII characters.
    """
    drawn = [item for item in series if finite(item).any()]
    if not drawn:
        return ""
    log = logarithmic(drawn)
    x, y = _bounds([item.x[finite(item)] for item in drawn]), _bounds([item.y[finite(item)] for item in drawn])
    labels = _labels(y, height - 3, log)
    margin = max(map(len, labels))
    columns = max(width, 20) - margin - 1
    cells = [[" "] * columns for _ in labels]
    _mark(cells, marks or {}, x, "|" if ascii else "│")
    for item, sign in zip(drawn, ASCII_MARKS if ascii else UNICODE_MARKS, strict=False):
        _draw(cells, _scaled(item, x, y, log), sign)
    bar, corner, line = ("|", "+", "-") if ascii else ("┤", "└", "─")
    lines = [f"{label:>{margin}}{bar}{''.join(row)}".rstrip() for label, row in zip(labels, cells, strict=True)]
    lines += [f"{'':{margin}}{corner}{line * columns}", _ends(x, x_label, margin, columns)]
    text = "\n".join([*lines, legend(drawn, marks or {}, ascii)])
    return text.translate({ord("│"): "|"}).encode("ascii", "replace").decode() if ascii else text


def _bounds(values: Sequence[Numbers]) -> tuple[float, float]:
    joined = np.concatenate(values)
    return float(joined.min()), float(joined.max())


def _labels(y: tuple[float, float], rows: int, log: bool) -> list[str]:
    low, high = np.log10(y) if log else y
    middle = low / 2 + high / 2
    told = {0: y[1], rows // 2: 10**middle if log else middle, rows - 1: y[0]}
    return [f"{told[row]:.3g}" if row in told else "" for row in range(rows)]


def _ends(x: tuple[float, float], x_label: str, margin: int, columns: int) -> str:
    first, last = (f"{end:.6g}" for end in x)
    return f"{'':{margin}} {first}{x_label:^{max(columns - len(first) - len(last), 0)}}{last}"


def _mark(cells: list[list[str]], marks: Mapping[str, float], x: tuple[float, float], sign: str) -> None:
    for at in marks.values():
        if x[0] <= at <= x[1] and x[0] < x[1]:
            column = round((at / 2 - x[0] / 2) / (x[1] / 2 - x[0] / 2) * (len(cells[0]) - 1))
            for row in cells:
                row[column] = sign


def _scaled(item: Series, x: tuple[float, float], y: tuple[float, float], log: bool) -> Series:
    """Return a curve with both axes from 0 to 1; a value that is not finite is NaN."""
    keep = finite(item)
    values = np.where(keep, item.y, np.nan)
    low, high = np.log10(y) if log else y
    along = np.log10(values) if log else values
    flat = np.where(keep, 0.5, np.nan)
    right = _share(np.where(keep, item.x, np.nan), *x) if x[1] > x[0] else flat
    return Series(item.label, right, _share(along, low, high) if high > low else flat)


def _share(values: Numbers, low: float, high: float) -> Numbers:
    # In halves, as the distance between the largest numbers overflows.
    return (values / 2 - low / 2) / (high / 2 - low / 2)


def _draw(cells: list[list[str]], item: Series, sign: str) -> None:
    fine = sign == "braille"
    rows, columns = len(cells) * (4 if fine else 1), len(cells[0]) * (2 if fine else 1)
    grid = _trace(item, rows, columns)
    for row, column in {(int(row), int(column)) for row, column in np.argwhere(grid)}:
        if not fine:
            cells[row][column] = sign
            continue
        there = cells[row // 4][column // 2]
        before = ord(there) if ord(there) >= BRAILLE and ord(there) <= BRAILLE + 0xFF else BRAILLE
        cells[row // 4][column // 2] = chr(before | DOTS[row % 4][column % 2])


def _trace(item: Series, rows: int, columns: int) -> "np.typing.NDArray[np.bool_]":
    """Return which places of a grid, rows from the top, a curve goes through."""
    low, high = np.full(columns, np.inf), np.full(columns, -np.inf)
    keep = np.isfinite(item.y)
    for part in np.split(np.arange(len(keep)), np.flatnonzero(np.diff(keep.astype(np.int8))) + 1):
        if len(part) and keep[part[0]]:
            _pass(low, high, item.x[part], item.y[part])
    joined = np.isfinite(low[1:]) & np.isfinite(low[:-1])
    reach_low, reach_high = low.copy(), high.copy()
    reach_low[1:][joined] = np.minimum(low[1:], high[:-1])[joined]
    reach_high[1:][joined] = np.maximum(high[1:], low[:-1])[joined]
    grid = np.zeros((rows, columns), dtype=np.bool_)
    for column in np.flatnonzero(np.isfinite(low)):
        top, bottom = (round((1 - reach[column]) * (rows - 1)) for reach in (reach_high, reach_low))
        grid[top : bottom + 1, column] = True
    return grid


def _pass(low: Numbers, high: Numbers, x: Numbers, y: Numbers) -> None:
    """Take a stretch without gaps into the lowest and highest value of each column."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    count = len(low)
    places = np.minimum((x * count).astype(np.intp), count - 1)
    between = np.arange(places[0], places[-1] + 1)
    level = np.interp((between + 0.5) / count, x, y)
    for columns, values in ((between, level), (places, y)):
        np.minimum.at(low, columns, values)
        np.maximum.at(high, columns, values)


def spark(values: Sequence[float], width: int, *, ascii: bool = False) -> str:
    """Return a curve as one line of at most ``width`` signs, low to high; a value that is not finite is a gap.

    Of more values than signs the last of each stretch is shown, so that the line ends where the curve does.
    """
    signs = SPARKS_ASCII if ascii else SPARKS
    points = np.asarray(values, dtype=np.float64)
    if len(points) > width:
        points = points[np.linspace(0, len(points) - 1, width).round().astype(np.intp)]
    keep = np.isfinite(points)
    if not keep.any():
        return " " * len(points)
    low, high = float(points[keep].min()), float(points[keep].max())
    shares = _share(points, low, high) if high > low else np.where(keep, 0.5, np.nan)
    return "".join(signs[round(float(share) * (len(signs) - 1))] if np.isfinite(share) else " " for share in shares)
