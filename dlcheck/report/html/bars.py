"""Bars: parts of a whole side by side, and values one under the other with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlcheck.report.html.chart import INK, PAPER, SOFT, Chart, Key, Spec, layered
from dlcheck.report.profile_table import Row, Table

LOOKS = {
    "wait": "c1",
    "take": "c1soft",
    "copy": "c3",
    "forward": "c0",
    "backward": "c0soft",
    "optimizer": "c2",
    "inside": "gray",
    "outside": "graysoft",
    "best": "c2",
    "now": "c0",
}
"""Colour of each kind of row; of any other it is grey."""
STACKED = 44
ROW = 22


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar."""

    name: str
    value: float
    told: str
    """The value in words."""
    look: str = "c0"
    low: float | None = None
    high: float | None = None


def look_of(kind: str) -> str:
    """Return the colour of a row of a profile."""
    return LOOKS.get(kind, "gray")


def stacked_chart(title: str, bars: Sequence[Bar], note: str = "") -> Chart | None:
    """Return parts of a whole side by side in one bar; None where none has a length."""
    shown = [bar for bar in bars if bar.value > 0]
    if not shown:
        return None
    ends = [sum(bar.value for bar in shown[: place + 1]) for place in range(len(shown))]
    spec = layered(
        {
            "data": {"name": "parts"},
            "mark": {"type": "bar", "height": STACKED, "stroke": PAPER, "strokeWidth": 1},
            "encoding": {
                "x": _length("from") | {"axis": None},
                "x2": {"field": "to"},
                "color": _colour(shown),
                "tooltip": [{"field": "name", "type": "nominal"}, {"field": "told", "type": "nominal"}],
            },
        },
        height=STACKED,
    )
    return Chart(
        title=title,
        summary=f"{title}: {'; '.join(f'{bar.name} {bar.told}' for bar in shown)}",
        spec=spec,
        data={
            "parts": {
                "name": [bar.name for bar in shown],
                "told": [bar.told for bar in shown],
                "look": [bar.look for bar in shown],
                "from": [0.0, *ends[:-1]],
                "to": ends,
            }
        },
        keys=tuple(Key(f"box {bar.look}", f"{bar.name} {bar.told}") for bar in shown),
        note=note,
    )


def bar_chart(title: str, bars: Sequence[Bar], *, titled: bool = True) -> Chart | None:
    """Return values one under the other, each with its interval where it has one; None without any.

    Args:
        title: What the bars are.
        bars: From the first to the last.
        titled: Whether the title stands above; where not, a heading says the same.
    """
    if not bars:
        return None
    order = [f"{place} {bar.name}" for place, bar in enumerate(bars)]
    return Chart(
        title=title if titled else "",
        summary=f"{title}: {'; '.join(f'{bar.name} {bar.told}' for bar in bars)}",
        spec=_bars_spec(bars, order),
        data={
            "bars": {
                "row": order,
                "name": [bar.name for bar in bars],
                "told": [bar.told for bar in bars],
                "look": [bar.look for bar in bars],
                "value": [bar.value for bar in bars],
                "low": [bar.low for bar in bars],
                "high": [bar.high for bar in bars],
                "end": [max(bar.value, bar.high or 0.0) for bar in bars],
            }
        },
    )


def _bars_spec(bars: Sequence[Bar], order: Sequence[str]) -> Spec:
    names: Spec = {
        "field": "row",
        "type": "nominal",
        "sort": list(order),
        "title": None,
        "axis": {
            "labelExpr": "slice(datum.label, indexof(datum.label, ' ') + 1)",
            "labelLimit": {"expr": "containerSize()[0] > 600 ? 260 : 130"},
            "domain": False,
            "ticks": False,
        },
    }
    tips = {"tooltip": [{"field": field, "type": "nominal"} for field in ("name", "told")]}
    data: Spec = {"name": "bars"}
    return layered(
        {
            "data": data,
            "mark": {"type": "bar", "height": 14},
            "encoding": {"y": names, "x": _length("value") | {"axis": None}, "color": _colour(bars), **tips},
        },
        {
            "data": data,
            "transform": [{"filter": "isValid(datum.low) && isValid(datum.high)"}],
            "mark": {"type": "rule", "strokeWidth": 2, "color": INK},
            "encoding": {"y": names, "x": _length("low"), "x2": {"field": "high"}},
        },
        {
            "data": data,
            "mark": {"type": "text", "align": "left", "dx": 6, "color": SOFT},
            "encoding": {"y": names, "x": _length("end"), "text": {"field": "told", "type": "nominal"}},
        },
        height=ROW * len(bars),
    )


def table_chart(table: Table) -> Chart | None:
    """Return the bars of a profile's table; None where no row has one."""
    bars = [_bar(row) for row in table.rows if row.bar is not None]
    return bar_chart(table.title, bars, titled=False) if bars else None


def stacked_table(table: Table, title: str) -> Chart | None:
    """Return the rows of a profile's table side by side."""
    return stacked_chart(title, [_bar(row, last=True) for row in table.rows if row.bar is not None])


def _bar(row: Row, *, last: bool = False) -> Bar:
    words = [cell for cell in row.cells[1:] if cell and cell != "-"]
    told = (words[-1] if last else words[0]) if words else ""
    return Bar(row.cells[0], row.bar or 0.0, told, look_of(row.kind), row.low, row.high)


def _length(field: str) -> Spec:
    return {"field": field, "type": "quantitative", "title": None, "scale": {"zero": True, "nice": False}}


def _colour(bars: Sequence[Bar]) -> Spec:
    looks = list(dict.fromkeys(bar.look for bar in bars))
    scale: Spec = {"domain": looks, "range": [f"var(--{look})" for look in looks]}
    return {"field": "look", "type": "nominal", "legend": None, "scale": scale}
