"""A chart before it is a page: its specification in Vega-Lite, its data column by column, and its words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlcheck.report.html.vega import SCHEMA
from dlcheck.report.plain import printable

Columns = Mapping[str, Sequence[Any]]
Spec = dict[str, Any]
KINDS = 8
"""Colours, with dashes of their own, that curves are told apart by."""
INK, SOFT, LINE, FAINT, PAPER = "var(--fg)", "var(--soft)", "var(--line)", "var(--faint)", "var(--bg)"
"""Colours of the page, so that light, dark and print need no second drawing."""
MOST = 8e307
"""Size of a value beyond which a browser could not tell the distance of two."""
DASHES = ((1, 0), (7, 4), (2, 4), (10, 3, 2, 3), (1, 3), (12, 4), (5, 2, 1, 2), (3, 3))


@dataclass(frozen=True, slots=True)
class Key:
    """What stands for what: a look of the style sheet and its words."""

    look: str
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What a page needs to draw one chart, and to tell it to those who cannot see it."""

    title: str
    summary: str
    """In one sentence what the chart shows."""
    spec: Spec
    """Vega-Lite, without data; a data set named in it is a key of ``data``."""
    data: Mapping[str, Columns]
    """Data sets, each with columns of equal length."""
    keys: tuple[Key, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """The numbers as a table."""
    note: str = ""
    group: str = ""
    """Charts of one group are zoomed together."""
    zoom: bool = False

    @property
    def labels(self) -> str:
        """What lies along x and the name of each curve, as JSON for an attribute."""
        return json.dumps(_clean(self.head))

    @property
    def json(self) -> str:
        """Specification and data, so that the text can stand in a script element as it is."""
        content = {"spec": {"$schema": SCHEMA} | self.spec, "data": self.data}
        text = json.dumps(_clean(content), separators=(",", ":"), allow_nan=False)
        return text.replace("<", "\\u003c").replace("\x7f", "\\u007f")


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of numbers."""

    title: str = ""
    log: bool = False
    low: float | None = None
    high: float | None = None
    grid: bool = True
    more: Mapping[str, object] = field(default_factory=dict)


def layered(*layers: Spec, height: object = 220) -> Spec:
    """Return a chart of layers, as wide as the page lets it."""
    size: Spec = {"width": "container", "height": height, "autosize": {"type": "fit-x", "contains": "padding"}}
    return size | {"layer": list(layers)}


def number(field_: str, axis: Axis, **more: object) -> Spec:
    """Return the channel of a field of numbers."""
    scale: Spec = {"nice": False} | ({"type": "log"} if axis.log else {"zero": False})
    if axis.low is not None:
        scale["domainMin"] = axis.low
    if axis.high is not None:
        scale["domainMax"] = axis.high
    look: Spec = {"title": axis.title or None, "grid": axis.grid, **(LOG_AXIS if axis.log else {}), **axis.more}
    return {"field": field_, "type": "quantitative", "scale": scale, "axis": look} | more


_DIGIT = "round(datum.value / pow(10, floor(log(datum.value) / LN10 + 1e-9)))"
LOG_AXIS: Spec = {
    "labelExpr": f"indexof([1, 2, 5], {_DIGIT}) >= 0 ? format(datum.value, '~g') : ''",
    "gridColor": {"condition": {"test": f"{_DIGIT} == 1", "value": LINE}, "value": FAINT},
    "tickColor": {"condition": {"test": f"{_DIGIT} == 1", "value": LINE}, "value": FAINT},
    "labelOverlap": True,
}
"""Powers of ten stand out of a logarithmic axis, and only 1, 2 and 5 are labelled."""


WHOLE: Spec = {
    "tickMinStep": 1,
    "labelExpr": "datum.value == floor(datum.value) ? format(datum.value, ',d') : ''",
}
"""Of an axis of steps or trials: there is nothing between two."""


def shown(value: float) -> str:
    """Return a number as charts and their tables show it."""
    if not math.isfinite(value):
        return "not finite"
    return f"{value:.4g}"


def rounded(values: Sequence[float]) -> list[float | None]:
    """Return numbers in six significant digits, what is not finite as None."""
    return [float(f"{min(max(value, -MOST), MOST):.6g}") if math.isfinite(value) else None for value in values]


def _clean(content: object) -> object:
    """Return content whose words hold no control character, and whose numbers a browser can draw: others are None."""
    if isinstance(content, float):
        return min(max(content, -MOST), MOST) if math.isfinite(content) else None
    if isinstance(content, str):
        return printable(content)
    if isinstance(content, Mapping):
        return {printable(str(key)): _clean(value) for key, value in content.items()}
    if isinstance(content, Sequence):
        return [_clean(item) for item in content]
    return content
