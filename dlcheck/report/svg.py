"""Curves as inline SVG: no script, no font, no file from elsewhere."""

import html
import math
from collections.abc import Mapping, Sequence

import numpy as np

from dlcheck.report.chart import MOST_POINTS, logarithmic
from dlcheck.report.plain import printable
from dlcheck.report.report import Series
from dlcheck.runs.run import Numbers

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 60, 12, 12, 36
TICKS = 5


class _Scale:
    """Maps values to pixels, by their logarithm where asked."""

    def __init__(self, values: Numbers, start: float, end: float, *, log: bool = False) -> None:
        self.log = log
        low, high = (float(bound) for bound in (values.min(), values.max()))
        self.low, self.high = self._along(low), self._along(high)
        if self.low == self.high:
            margin = max(0.5, abs(self.low) / 2)  # half a unit is lost in the rounding of a large number
            self.low, self.high = self.low - margin, self.high + margin
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        share = (self._along(value) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        along = np.linspace(self.low, self.high, TICKS)
        return [float(10**place if self.log else place) for place in along]

    def _along(self, value: float) -> float:
        return math.log10(value) if self.log else value


def svg_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str = "",
    marks: Mapping[str, float] | None = None,
    may_log: bool = True,
) -> str:
    """Return an SVG element with up to four curves, told apart by dashes as well as by colour.

    Values that are not finite leave a gap. Empty when there is nothing finite to draw. The y axis is
    logarithmic where the values are positive and wide apart, unless ``may_log`` is false.
    """
    drawn = [item for item in series if (np.isfinite(item.x) & np.isfinite(item.y)).any()]
    if not drawn:
        return ""
    x = _Scale(_finite([item.x for item in drawn]), LEFT, WIDTH - RIGHT)
    y = _Scale(_finite([item.y for item in drawn]), HEIGHT - BOTTOM, TOP, log=may_log and logarithmic(drawn))
    parts = [_axes(x, y, x_label)]
    parts += [_mark(label, x(place), row) for row, (label, place) in enumerate((marks or {}).items())]
    parts += [_curve(item, x, y, index) for index, item in enumerate(drawn)]
    name = html.escape(printable(title))
    legend = "".join(
        f'<span class="key c{index}">{html.escape(printable(item.label))}</span>' for index, item in enumerate(drawn)
    )
    return (
        f"<figure><figcaption>{name}{' (logarithmic)' if y.log else ''} {legend}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">{"".join(parts)}</svg></figure>'
    )


def _finite(arrays: Sequence[Numbers]) -> Numbers:
    joined = np.concatenate(arrays)
    return joined[np.isfinite(joined)]


def _axes(x: _Scale, y: _Scale, x_label: str) -> str:
    lines = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick)}" y2="{y(tick)}"/>'
        f'<text x="{LEFT - 6}" y="{y(tick) + 4}" text-anchor="end">{tick:.3g}</text>'
        for tick in y.ticks()
    ]
    lines += [
        f'<text x="{x(tick)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{tick:.4g}</text>' for tick in x.ticks()
    ]
    middle = (LEFT + WIDTH - RIGHT) // 2
    lines.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{html.escape(x_label)}</text>')
    return "".join(lines)


def _mark(label: str, place: float, row: int) -> str:
    # Each label on a line of its own, towards the middle of the chart.
    anchor, shift = ("end", -3) if place > WIDTH * 0.7 else ("start", 3)
    return (
        f'<line class="mark" x1="{place}" x2="{place}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text class="mark" x="{place + shift}" y="{TOP + 10 + 14 * row}" text-anchor="{anchor}">'
        f"{html.escape(printable(label))}</text>"
    )


def _curve(item: Series, x: _Scale, y: _Scale, index: int) -> str:
    places = np.arange(len(item.x))
    if len(places) > MOST_POINTS:
        places = np.linspace(0, len(places) - 1, MOST_POINTS).round().astype(int)
    path, pen_down = [], False
    for px, py in zip(item.x[places], item.y[places], strict=True):
        finite = bool(np.isfinite(px) and np.isfinite(py))
        if finite:
            path.append(f"{'L' if pen_down else 'M'}{x(px)} {y(py)}")
        pen_down = finite
    # A round cap shows a single point between two gaps, a line of length 0, as a dot.
    return f'<path class="curve c{index}" d="{" ".join(path)}{"" if len(path) > 1 else " h0"}"/>'
