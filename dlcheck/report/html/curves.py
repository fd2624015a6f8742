"""Curves over epochs or steps: to hover and to zoom, with the findings where they begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat

import numpy as np

from dlcheck.report.chart import finite, logarithmic, thinned
from dlcheck.report.html.chart import (
    DASHES,
    INK,
    KINDS,
    MOST,
    SOFT,
    WHOLE,
    Axis,
    Chart,
    Key,
    Spec,
    layered,
    number,
    rounded,
    shown,
)
from dlcheck.report.plain import printable
from dlcheck.report.report import Series

MOST_POINTS = 1200
"""Points of a curve that is drawn; of more, the lowest and highest of each stretch stay."""
MOST_ROWS = 12
"""Rows of the table of numbers."""
ROOM = 0.05
"""Of the range of values, above and below."""


def curve_chart(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str = "",
    marks: Mapping[str, float] | None = None,
    may_log: bool = True,
    height: int = 220,
    level: float | None = None,
    group: str = "run",
) -> Chart | None:
    """Return curves told apart by dashes as well as by colour; None when there is nothing finite to draw.

    Values that are not finite leave a gap. The y axis is logarithmic where the values are positive and wide apart.

    Args:
        title: Stands above.
        series: At most eight curves.
        x_label: What lies along x.
        marks: Where along x something begins, by its name.
        may_log: Whether the y axis may be logarithmic.
        height: In pixels.
        level: A value to draw a line at.
        group: Charts of the same group are zoomed together.
    """
    thin = [thinned(item, MOST_POINTS) for item in series[:KINDS]]
    kept = [place for place, item in enumerate(thin) if finite(item).any()]
    if not kept:
        return None
    # What is drawn holds the ends and all extremes, so that nothing below needs the whole of a long curve.
    drawn, lost = [thin[place] for place in kept], [_not_finite(series[place]) for place in kept]
    log = may_log and logarithmic(drawn)
    low, high = _range(drawn, log=log)
    x_range = _x_range(drawn)
    whole = WHOLE if x_label == "step" else {}
    spec = layered(*_layers(Axis(x_label, more=whole), Axis(log=log), len(drawn), level), height=height)
    spec["params"] = [{"name": "low", "value": low}, {"name": "high", "value": high}]
    return Chart(
        title=f"{title} (logarithmic)" if log else title,
        summary=f"{title} over {x_label or 'the run'}: {'; '.join(map(_told, drawn, lost, repeat(x_label)))}",
        spec=spec,
        data={"points": _points(drawn), "marks": _mark_rows(marks or {}, x_range)},
        keys=tuple(Key(f"line c{place}", item.label) for place, item in enumerate(drawn)),
        head=(x_label or "x", *(item.label for item in drawn)),
        rows=tuple(_rows(drawn)),
        group=f"{group} {x_label}",
        zoom=True,
    )


def _layers(x: Axis, y: Axis, count: int, level: float | None) -> list[Spec]:
    y_channel = number("y", y)
    ends = {"domainMin": {"expr": "low"}, "domainMax": {"expr": "high"}}
    y_channel["scale"] = {"nice": False} | ({"type": "log"} if y.log else {"zero": False}) | ends
    place: Spec = {"x": number("x", x), "y": y_channel}
    kinds = [str(kind) for kind in range(count)]
    colour: Spec = {"field": "s", "type": "nominal", "legend": None}
    by_kind: Spec = {
        "color": colour | {"scale": {"domain": kinds, "range": [f"var(--c{kind})" for kind in kinds]}},
        "strokeDash": colour | {"scale": {"domain": kinds, "range": [list(DASHES[int(kind)]) for kind in kinds]}},
    }
    points: Spec = {"name": "points"}
    lines: Spec = {
        "data": points,
        "mark": {
            "type": "line",
            "clip": True,
            "strokeWidth": 2,
            "strokeCap": "round",
            "invalid": "break-paths-show-path-domains",
        },
        "encoding": {**place, **by_kind, "order": {"field": "i", "type": "quantitative"}},
        "params": [ZOOM],
    }
    lone: Spec = {
        "data": points,
        "transform": [{"filter": "datum.lone"}],
        "mark": {"type": "point", "filled": True, "size": 30, "clip": True, "opacity": 1},
        "encoding": {**place, "color": by_kind["color"]},
    }
    return [*_level(level), lines, lone, *_mark_layers(x), _hair(x), _dots(place, by_kind["color"])]


ZOOM: Spec = {
    "name": "zoom",
    "bind": "scales",
    "select": {
        "type": "interval",
        "encodings": ["x"],
        "zoom": "wheel![event.ctrlKey || event.metaKey || event.shiftKey]",  # a plain wheel scrolls the page
    },
}


def _level(level: float | None) -> list[Spec]:
    if level is None:
        return []
    return [
        {
            "data": {"values": [{}]},
            "mark": {"type": "rule", "color": SOFT, "strokeDash": [2, 3]},
            "encoding": {"y": {"datum": level}},
        }
    ]


def _hair(x: Axis) -> Spec:
    """Return the line under the pointer, which tells all curves there; the page makes its data set of the points."""
    near: Spec = {"type": "point", "on": "pointermove", "nearest": True, "fields": ["x"], "clear": "pointerout"}
    seen = {"condition": {"param": "hover", "empty": False, "value": 1}, "value": 0}
    return {
        "data": {"name": "at"},
        "mark": {"type": "rule", "color": SOFT, "clip": True, "aria": False, "tooltip": {"content": "data"}},
        "encoding": {"x": number("x", x), "opacity": seen},
        "params": [{"name": "hover", "select": near}],
    }


def _dots(place: Spec, colour: object) -> Spec:
    return {
        "data": {"name": "points"},
        "transform": [{"filter": {"param": "hover", "empty": False}}],
        "mark": {"type": "point", "filled": True, "size": 50, "clip": True, "opacity": 1, "aria": False},
        "encoding": {**place, "color": colour},
    }


def _mark_layers(x: Axis) -> list[Spec]:
    data: Spec = {"name": "marks"}
    words: Spec = {
        "type": "text",
        "color": INK,
        "fontSize": 11,
        "y": {"expr": "10 + 14 * datum.row"},  # each on a line of its own
        "align": {"expr": "datum.late ? 'right' : 'left'"},  # towards the middle of the chart
        "dx": {"expr": "datum.late ? -4 : 4"},
        "clip": True,
    }
    line: Spec = {"type": "rule", "color": INK, "strokeDash": [2, 3], "clip": True, "tooltip": {"content": "data"}}
    at: Spec = {"x": number("x", x)}
    named: Spec = {"text": {"field": "name", "type": "nominal"}}
    tip: Spec = {"tooltip": [{"field": "name", "type": "nominal"}]}
    return [
        {"data": data, "mark": line, "encoding": {**at, **tip}},
        {"data": data, "mark": words, "encoding": {**at, **named, **tip}},
    ]


def _mark_rows(marks: Mapping[str, float], x_range: tuple[float, float]) -> dict[str, list[object]]:
    low, high = x_range
    return {
        "x": [float(at) for at in marks.values()],
        "name": [printable(name) for name in marks],
        "row": list(range(len(marks))),
        "late": [at - low > 0.7 * (high - low) for at in marks.values()],
    }


def _points(series: Sequence[Series]) -> dict[str, list[object]]:
    """Return all points of all curves; ``lone`` is a point between two gaps, of which a line shows nothing."""
    columns: dict[str, list[object]] = {"x": [], "y": [], "s": [], "i": [], "lone": []}
    for kind, item in enumerate(series):
        keep = np.isfinite(item.x)
        x, y = item.x[keep], item.y[keep]
        there = np.isfinite(y)
        before, after = np.r_[False, there[:-1]], np.r_[there[1:], False]
        columns["x"] += rounded(x.tolist())
        columns["y"] += rounded(y.tolist())
        columns["s"] += [str(kind)] * len(x)
        columns["i"] += list(range(len(x)))
        columns["lone"] += (there & ~before & ~after).tolist()
    return columns


def _range(series: Sequence[Series], *, log: bool) -> tuple[float, float]:
    """Return the ends of the y axis, with room around the values."""
    values = np.concatenate([item.y[finite(item)] for item in series])
    low, high = float(values.min()), float(values.max())
    if log:
        room = (high / low) ** ROOM
        return low / room, min(high * room, MOST)
    room = ROOM * (high / 2 - low / 2) * 2 or abs(low) / 2 or 0.5  # in halves: the largest numbers overflow
    return max(low - room, -MOST), min(high + room, MOST)


def _x_range(series: Sequence[Series]) -> tuple[float, float]:
    x = np.concatenate([item.x[np.isfinite(item.x)] for item in series])
    return float(x.min()), float(x.max())


def _not_finite(item: Series) -> int:
    return int((~np.isfinite(item.y)).sum())


def _told(item: Series, gone: int, x_label: str) -> str:
    """Return a curve in words: where it begins, its least and greatest value, where it ends."""
    there = finite(item)
    x, y = item.x[there], item.y[there]
    lost = f", {gone} not finite" if gone else ""
    ends = f"from {shown(y[0])} to {shown(y[-1])}"
    least = f"least {shown(y.min())} at {x_label or 'x'} {shown(x[y.argmin()])}"
    most = f"greatest {shown(y.max())} at {shown(x[y.argmax()])}"
    return printable(f"{item.label} {ends}, {least}, {most}{lost}")


def _rows(series: Sequence[Series]) -> list[tuple[str, ...]]:
    """Return the curves at some places along x: the ends, the extremes, and evenly between."""
    places = np.unique(np.concatenate([item.x[np.isfinite(item.x)] for item in series]))
    even = places[np.linspace(0, len(places) - 1, min(MOST_ROWS - 2, len(places))).round().astype(int)]
    first = series[-1]
    there = finite(first)
    extremes = [first.x[there][first.y[there].argmin()], first.x[there][first.y[there].argmax()]]
    values = [dict(zip(item.x.tolist(), item.y.tolist(), strict=True)) for item in series]
    rows = []
    for x in np.unique(np.r_[even, extremes]).tolist():
        rows.append((shown(x), *(shown(one[x]) if x in one else "" for one in values)))
    return rows
