"""Curves in the terminal, told apart by their marks rather than by colour."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dlcheck.report.plain import printable
from dlcheck.report.report import Series
from dlcheck.runs.run import Numbers

WIDE_RANGE = 30.0
"""Largest over smallest value from which the y axis is logarithmic."""
MOST_POINTS = 400
UNICODE_MARKS = ("braille", "x", "o", "+")
ASCII_MARKS = (".", "x", "o", "+")
_LEGEND = {"braille": "⠒"}
_TO_ASCII = str.maketrans("┌┬┐├┼┤└┴┘─│", "+++++++++-|")


def draw_curves(
    series: Sequence[Series],
    *,
    width: int = 78,
    height: int = 16,
    marks: Mapping[str, float] | None = None,
    x_label: str = "",
    ascii: bool = False,  # the standard library's ascii() is not needed here
) -> str:
    """Return a chart of curves as lines of text without any escapes, the legend under it.

    Values that are not finite leave a gap. The y axis is logarithmic where all values are positive and their
    range is wide. Without a single finite value the result is one line that says so.

    Args:
        series: Up to four curves.
        width: Columns, at least 20.
        height: Lines of the chart without the legend, at least 5.
        marks: Places along x to mark by a vertical line, by label.
        x_label: What is along x.
        ascii: Only ASCII characters, for terminals that know no others.
    """
    drawn = [thinned(item, MOST_POINTS) for item in series]
    drawn = [item for item in drawn if finite(item).any()]
    if not drawn:
        return "no finite values to draw"
    chart = _build(drawn, max(width, 20), max(height, 5), marks or {}, x_label, ASCII_MARKS if ascii else UNICODE_MARKS)
    whole = [item for item in series if finite(item).any()]
    text = "\n".join([*chart, legend(whole, marks or {}, ascii)])
    return text.translate(_TO_ASCII).encode("ascii", "replace").decode() if ascii else text


def logarithmic(series: Sequence[Series]) -> bool:
    """Return whether the y axis of these curves should be logarithmic."""
    values = np.concatenate([item.y[finite(item)] for item in series])
    return bool(values.size and values.min() > 0 and values.max() / WIDE_RANGE > values.min())


def _build(
    series: Sequence[Series], width: int, height: int, marks: Mapping[str, float], x_label: str, kinds: Sequence[str]
) -> list[str]:
    import plotext

    plotext.terminal.limit(False, False)  # the width asked for, whatever terminal this process may have
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, height)
    figure.legend(False)
    if logarithmic(series):
        figure.ruler("y").scale("log")
    for place in marks.values():
        figure.line(place, orientation="vertical", pixel="default")
    for item, kind in zip(series, kinds, strict=False):
        x, y, whole = _points(item)
        signal = figure.signal(x.tolist(), y.tolist(), marker=kind)
        signal.lines()
        for index in np.flatnonzero(~whole):
            signal.line(int(index), False)
        figure.draw(signal)
    if x_label:
        figure.label(x_label)
    lines = plotext.uncolorize(str(figure.build())).rstrip().splitlines()
    figure.clear()
    return [line.rstrip() for line in lines]


def _points(item: Series) -> tuple[Numbers, Numbers, "np.typing.NDArray[np.bool_]"]:
    """Return the finite points, and which of them follow their predecessor without a gap."""
    places = np.flatnonzero(finite(item))
    gaps = np.cumsum(~finite(item))[places]
    return item.x[places], item.y[places], np.diff(gaps, prepend=gaps[:1]) == 0


def thinned(item: Series, most: int) -> Series:
    """Return at most ``most`` points: the ends, and of each stretch the lowest, the highest and one that is not finite.

    So no spike and no gap is lost.
    """
    if len(item.x) <= most:
        return item
    stretches = np.array_split(np.arange(len(item.x)), most // 3 - 1)
    places = np.unique([0, len(item.x) - 1, *(place for one in stretches for place in _extremes(item.y, one))])
    return replace(item, x=item.x[places], y=item.y[places])


def _extremes(y: Numbers, stretch: "np.typing.NDArray[np.intp]") -> list[int]:
    part = y[stretch]
    there = np.isfinite(part)
    low, high = np.where(there, part, np.inf).argmin(), np.where(there, part, -np.inf).argmax()
    broken = [] if there.all() else [int(stretch[(~there).argmax()])]
    return [int(stretch[low]), int(stretch[high]), *broken]


def finite(item: Series) -> "np.typing.NDArray[np.bool_]":
    """Return which points of a curve can be drawn."""
    return np.isfinite(item.x) & np.isfinite(item.y)


def legend(series: Sequence[Series], marks: Mapping[str, float], ascii: bool) -> str:
    """Return the line that says which sign is which curve, and where the marks are."""
    kinds = ASCII_MARKS if ascii else UNICODE_MARKS
    parts = [
        f"{_LEGEND.get(kind, kind)} {printable(item.label)}{_hidden(item)}"
        for item, kind in zip(series, kinds, strict=False)
    ]
    return "  " + "   ".join([*parts, *(f"│ {printable(label)} {place:g}" for label, place in marks.items())])


def _hidden(item: Series) -> str:
    count = int((~np.isfinite(item.y)).sum())
    return f" ({count} not finite)" if count else ""
