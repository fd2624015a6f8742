"""Curves as inline SVG: no font, no file from elsewhere; the numbers lie beside, for a script to zoom into."""

import html
import json
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
ZOOM_POINTS = 3000
"""Points of each curve that a reader can zoom into."""


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
        # In halves, as the distance between the largest numbers overflows.
        share = (self._along(value) / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        along = 2 * np.linspace(self.low / 2, self.high / 2, TICKS)
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
        f'<figure class="chart" data-chart="{_data(drawn, marks or {}, x_label, log=y.log)}"><figcaption>'
        f"{name}{' (logarithmic)' if y.log else ''} {legend}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">{"".join(parts)}</svg></figure>'
    )


def _data(series: Sequence[Series], marks: Mapping[str, float], x_label: str, *, log: bool) -> str:
    """Return what is drawn as JSON in the words of an attribute; a value that is not finite is null."""
    curves = [_thinned(item) for item in series]
    content = {
        "box": [LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM],
        "log": log,
        "x_label": x_label,
        "series": [{"name": printable(name), "x": _numbers(x), "y": _numbers(y)} for name, x, y in curves],
        "marks": [{"name": printable(name), "x": float(at)} for name, at in marks.items()],
    }
    return html.escape(json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def _thinned(item: Series) -> tuple[str, Numbers, Numbers]:
    """Return at most ``ZOOM_POINTS`` points: the lowest and the highest of each stretch, so that no spike is lost."""
    if len(item.x) <= ZOOM_POINTS:
        return item.label, item.x, item.y
    stretches = np.array_split(np.arange(len(item.x)), ZOOM_POINTS // 3)
    places = np.unique([place for stretch in stretches for place in _extremes(item.y, stretch)])
    return item.label, item.x[places], item.y[places]


def _extremes(y: Numbers, stretch: "np.typing.NDArray[np.intp]") -> list[int]:
    part = y[stretch]
    finite = np.isfinite(part)
    low, high = np.where(finite, part, np.inf).argmin(), np.where(finite, part, -np.inf).argmax()
    broken = [] if finite.all() else [int(stretch[(~finite).argmax()])]
    return [int(stretch[low]), int(stretch[high]), *broken]


def _numbers(values: Numbers) -> list[float | None]:
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values.tolist()]


def _finite(arrays: Sequence[Numbers]) -> Numbers:
    joined = np.concatenate(arrays)
    return joined[np.isfinite(joined)]


def _axes(x: _Scale, y: _Scale, x_label: str) -> str:
    lines = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick)}" y2="{y(tick)}"/>'
        f'<text x="{LEFT - 6}" y="{y(tick) + 4}" text-anchor="end">{tick:.3g}</text>'
        for tick in y.ticks()
    ]
    anchors = ["middle"] * (TICKS - 1) + ["end"]
    lines += [
        f'<text x="{x(tick)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="{anchor}">{tick:.4g}</text>'
        for tick, anchor in zip(x.ticks(), anchors, strict=True)
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
