"""What was measured of each layer, as maps of layers by steps: colour is the value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlcheck.report.html.chart import WHOLE, Axis, Chart, Key, Spec, layered, number, rounded, shown
from dlcheck.runs.run import Numbers, Run

if TYPE_CHECKING:
    import pandas as pd

MOST_CELLS = 60
"""Stretches of steps along x; the median of each is drawn."""
MOST_LAYERS = 40
"""Rows of a map; of more layers, those that reach furthest up and down are drawn."""
ROW = 18
"""Height of a row in pixels."""
BANDS = (1e-5, 1e-4, 3e-4, 3e-3, 1e-2, 1e-1)
"""Edges of the colours of the update ratio; around 1e-3 it is as it should be (Karpathy, CS231n, 2015)."""
BAND_LOOKS = ("low3", "low2", "low1", "band", "high1", "high2", "high3")

SHARES = (1e-9, 0.25, 0.5, 0.75)
SHARE_LOOKS = ("share0", "share1", "share2", "share3", "share4")


@dataclass(frozen=True, slots=True)
class _View:
    """One statistic and how its values become colours."""

    statistic: str
    title: str
    unit: str
    scale: Callable[[Numbers], Spec]
    keys: tuple[Key, ...] = ()


def _banded(_: Numbers) -> Spec:
    looks = [f"var(--{look})" for look in BAND_LOOKS]
    return {"scale": {"type": "threshold", "domain": list(BANDS), "range": looks}, "legend": None}


def _sizes(values: Numbers) -> Spec:
    positive = values[values > 0]
    if not len(positive):
        return {"scale": {"scheme": "viridis"}}
    low, high = float(positive.min()), float(positive.max())
    if high <= 10 * low:
        return {"scale": {"scheme": "viridis", "domain": [low, high if high > low else 2 * low]}}
    return {"scale": {"type": "log", "scheme": "viridis", "domain": [low, high], "clamp": True}}


def _shares(_: Numbers) -> Spec:
    looks = [f"var(--{look})" for look in SHARE_LOOKS]
    return {"scale": {"type": "threshold", "domain": list(SHARES), "range": looks}, "legend": None}


_EDGES = ("below 1e-5", "to 1e-4", "to 3e-4", "3e-4 to 3e-3: as it should be", "to 1e-2", "to 0.1", "above")
_SHARES = tuple(
    Key(f"box {look}", words)
    for look, words in zip(SHARE_LOOKS, ("none", "to 25 %", "to 50 %", "to 75 %", "more"), strict=True)
)
_VIEWS = (
    _View(
        "update_ratio",
        "update ratio: a step's change of the weights over the weights",
        "update ratio",
        _banded,
        tuple(Key(f"box {look}", words) for look, words in zip(BAND_LOOKS, _EDGES, strict=True)),
    ),
    _View("grad_norm", "gradient norm", "gradient norm", _sizes),
    _View("activation_std", "activations: standard deviation", "standard deviation", _sizes),
    _View("dead_fraction", "dead units: active for no sample", "share of units", _shares, _SHARES),
    _View("saturated_fraction", "saturated units: beyond the bend", "share of units", _shares, _SHARES),
    _View("weight_norm", "weight norm", "weight norm", _sizes),
)


def layer_charts(run: Run) -> list[Chart]:
    """Return a map for each statistic of layers that the run holds."""
    frame = run.layers
    known = {view.statistic: frame[frame["statistic"] == view.statistic] for view in _VIEWS}
    beside = frame[frame["statistic"] == "activation_mean"]
    charts = [
        _map(view, known[view.statistic], beside if view.statistic == "activation_std" else None) for view in _VIEWS
    ]
    return [chart for chart in charts if chart is not None]


def _map(view: _View, rows: pd.DataFrame, beside: pd.DataFrame | None) -> Chart | None:
    values = rows["value"].to_numpy(np.float64)
    steps = rows["step"].to_numpy(np.float64)
    if not np.isfinite(values).any() or not np.isfinite(steps).any():
        return None
    names = list(dict.fromkeys(rows["layer"].astype(str)))
    kept = _kept(rows, names)
    edges = _edges(steps)
    cells = _cells(rows, kept, edges)
    means = None if beside is None else {(cell.layer, cell.start): cell.value for cell in _cells(beside, kept, edges)}
    left = f"; {len(kept)} of {len(names)} layers are drawn, those with the extremes" if len(kept) < len(names) else ""
    return Chart(
        title=view.title,
        summary=_summary(view, cells) + left,
        spec=_spec(view, kept, values, with_mean=means is not None),
        data={"cells": _columns(cells, means)},
        keys=(*view.keys, *([Key("box lost", "not finite")] if any(cell.lost for cell in cells) else [])),
        head=("layer", "first", "median", "last", "least", "greatest"),
        rows=tuple(_row(name, [cell for cell in cells if cell.layer == name]) for name in kept),
        note=left.removeprefix("; "),
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    layer: str
    start: float
    end: float
    value: float
    """Median of the finite values; NaN without any."""
    lost: bool
    """Whether a value was not finite."""


def _edges(steps: Numbers) -> Numbers:
    """Return where the stretches of steps begin, and where the last one ends."""
    seen = np.unique(steps[np.isfinite(steps)])
    if len(seen) > MOST_CELLS:
        return np.unique(np.linspace(seen[0], seen[-1] + 1, MOST_CELLS + 1).round())
    gap = float(np.diff(seen).min()) if len(seen) > 1 else 1.0
    return np.append(seen, seen[-1] + gap)


def _cells(rows: pd.DataFrame, layers: Sequence[str], edges: Numbers) -> list[_Cell]:
    rows = rows[rows["step"].notna()]
    stretch = np.clip(np.searchsorted(edges, rows["step"].to_numpy(np.float64), side="right") - 1, 0, len(edges) - 2)
    found = []
    by_layer = rows["layer"].astype(str).to_numpy()
    values = rows["value"].to_numpy(np.float64)
    for layer in layers:
        own = by_layer == layer
        for place in np.unique(stretch[own]).tolist():
            part = values[own & (stretch == place)]
            there = part[np.isfinite(part)]
            median = float(np.median(there)) if len(there) else math.nan
            found.append(_Cell(layer, float(edges[place]), float(edges[place + 1]), median, len(there) < len(part)))
    return found


def _kept(rows: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Return the layers that are drawn, in their own order: all, or those with the largest and smallest values."""
    if len(names) <= MOST_LAYERS:
        return list(names)
    finite = rows[np.isfinite(rows["value"].to_numpy(np.float64))]
    by_layer = finite.groupby(finite["layer"].astype(str))["value"]
    lost = [name for name in names if name not in by_layer.groups]
    order = by_layer.median().sort_values()
    half = (MOST_LAYERS - min(len(lost), MOST_LAYERS // 2)) // 2
    chosen = {*lost[: MOST_LAYERS // 2], *order.index[:half], *order.index[-half:]}
    return [name for name in names if name in chosen]


def _spec(view: _View, layers: Sequence[str], values: Numbers, *, with_mean: bool) -> Spec:
    place: Spec = {
        "x": number("start", Axis("step", grid=False, more=WHOLE)),
        "x2": {"field": "end"},
        "y": {"field": "layer", "type": "nominal", "sort": list(layers), "title": None, "axis": {"domain": False}},
    }
    colour: Spec = {"field": "value", "type": "quantitative", "title": None} | view.scale(values[np.isfinite(values)])
    told = [("layer", "layer"), ("steps", "steps"), ("told", view.unit), *([("mean", "mean")] if with_mean else [])]
    tips = {"tooltip": [{"field": field, "type": "nominal", "title": title} for field, title in told]}
    cells: Spec = {
        "data": {"name": "cells"},
        "transform": [{"filter": "isValid(datum.value)"}],
        "mark": {"type": "rect"},
        "encoding": {**place, "color": colour, **tips},
    }
    lost: Spec = {
        "data": {"name": "cells"},
        "transform": [{"filter": "datum.lost"}],
        "mark": {"type": "rect", "fill": "var(--lost)"},
        "encoding": {**place, **tips},
    }
    return layered(cells, lost, height=ROW * len(layers))


def _columns(cells: Sequence[_Cell], means: Mapping[tuple[str, float], float] | None) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {
        "layer": [cell.layer for cell in cells],
        "start": [cell.start for cell in cells],
        "end": [cell.end for cell in cells],
        "value": list(rounded([cell.value for cell in cells])),
        "lost": [cell.lost for cell in cells],
        "steps": [_span(cell) for cell in cells],
        "told": [
            shown(cell.value) + (", some not finite" if cell.lost and cell.value == cell.value else "")
            for cell in cells
        ],
    }
    if means is not None:
        columns["mean"] = [f"mean {shown(means.get((cell.layer, cell.start), math.nan))}" for cell in cells]
    return columns


def _span(cell: _Cell) -> str:
    last = cell.end - 1
    return f"step {cell.start:g}" if last <= cell.start else f"steps {cell.start:g} to {last:g}"


def _row(name: str, cells: Sequence[_Cell]) -> tuple[str, ...]:
    values = [cell.value for cell in cells if math.isfinite(cell.value)]
    if not values:
        return (name, *["not finite"] * 5)
    ends = (values[0], float(np.median(values)), values[-1], min(values), max(values))
    return (name, *map(shown, ends))


def _summary(view: _View, cells: Sequence[_Cell]) -> str:
    known = [cell for cell in cells if math.isfinite(cell.value)]
    layers = len({cell.layer for cell in cells})
    if not known:
        return f"{view.title}, {layers} layers: nothing finite"
    low, high = min(known, key=lambda cell: cell.value), max(known, key=lambda cell: cell.value)
    told = f"{view.title}, {layers} layers: from {shown(low.value)} ({low.layer}) to {shown(high.value)} ({high.layer})"
    lost = {cell.layer for cell in cells if cell.lost}
    return f"{told}; not finite in {len(lost)} layers" if lost else told
