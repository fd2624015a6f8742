"""The charts of a study that show every trial: history, slices, parallel axes, and where trials fail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dlcheck.report.html.chart import MOST, WHOLE, Axis, Chart, Key, Spec, layered, number
from dlcheck.rules.search.region import Region, failed, failing_region
from dlcheck.rules.search.rows import WHOLE as WHOLE_KINDS
from dlcheck.rules.search.rows import number_of, place, ranked, text_of, usable, value_at
from dlcheck.runs.facts import SearchParameter, SearchStudy, SearchTrial
from dlcheck.runs.facts.search import trial_title

BUCKETS = 6
"""Parts of a range of which each shows its best trial."""
ZERO = -0.12
"""Where zero lies beside a range that has no place for it."""
WIDE = 5.0
"""Largest over smallest value from which an axis of values is logarithmic."""
SMALL = 170
"""Height of a chart beside others, in pixels."""
KEYS = (
    Key("dot c0", "finished"),
    Key("dot ring", "ended early"),
    Key("dot c1", "your recipe"),
    Key("dot c2", "chosen"),
    Key("cross", "failed"),
)
KINDS = ("ok", "early", "own", "top")
FILLS = ("var(--c0)", "var(--bg)", "var(--c1)", "var(--c2)")
EDGES = ("var(--c0)", "var(--c0)", "var(--c1)", "var(--c2)")


@dataclass(frozen=True, slots=True)
class Labels:
    """An axis whose places are labelled one by one."""

    title: str
    low: float
    high: float
    places: Sequence[float]
    words: Sequence[str]

    def channel(self, name: str, field: str) -> Spec:
        """Return the channel of a field; ``name`` is of the parameters that ``params`` gives."""
        axis: Spec = {
            "title": self.title or None,
            "grid": True,
            "values": list(self.places),
            "labelExpr": f"{name}_words[indexof({name}_places, datum.value)]",
            "labelOverlap": True,
        }
        scale: Spec = {"zero": False, "nice": False, "domain": [self.low, self.high]}
        return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}

    def params(self, name: str) -> list[Spec]:
        """Return what the labels are: values, so that no word of the user's is ever a part of an expression."""
        return [
            {"name": f"{name}_words", "value": list(self.words)},
            {"name": f"{name}_places", "value": list(self.places)},
        ]


def history(study: SearchStudy) -> Chart | None:
    """Return every trial's value in the order they began, the best so far, and those that have none."""
    shown = [trial for trial in study.trials if finite_trial(trial)]
    if not shown:
        return None
    values = values_of(shown)
    y = number("y", _value_axis(values, study.metric))
    x = number("x", Axis("trial", more=WHOLE))
    best = _best_so_far(study)
    best += [(max(float(trial.number) for trial in study.trials), best[-1][1])] if best else []
    own = [trial.value for trial in usable(study) if trial.baseline and trial.value is not None][:1]
    line: Spec = {
        "data": {"name": "best"},
        "mark": {"type": "line", "interpolate": "step-after", "color": "var(--c2)"},
        "encoding": {"x": x, "y": y},
    }
    level: Spec = {
        "data": {"name": "own"},
        "mark": {"type": "rule", "color": "var(--c1)", "strokeDash": [7, 4]},
        "encoding": {"y": y},
    }
    return Chart(
        title=f"{study.metric} of every trial, and the best so far",
        summary=f"{study.metric} of {len(study.trials)} trials, {len(shown)} with a value, from "
        f"{min(values):.4g} to {max(values):.4g}; the best so far ends at {best[-1][1] if best else math.nan:.4g}",
        spec=layered(line, *([level] if own else []), *_dots(x, y)),
        data={
            "trials": _rows(study, lambda trial: float(trial.number)),
            "best": {"x": [x for x, _ in best], "y": [_held(y) for _, y in best]},
            "own": {"y": [_held(value) for value in own]},
        },
        head=("trial", "ending", study.metric, "values"),
        rows=tuple(
            (str(one.number), one.ending, "" if one.value is None else f"{one.value:.4g}", _settings(one))
            for one in study.trials
        ),
    )


def slices(study: SearchStudy) -> list[Chart]:
    """Return a chart for each parameter: every trial, and the best of each part of its range."""
    charts = [_slice(study, parameter) for parameter in study.parameters]
    return [chart for chart in charts if chart is not None]


def failures(study: SearchStudy) -> Chart | None:
    """Return where trials failed, by the parameter that tells it best and the one that matters most beside it."""
    region = failing_region(study) if any(map(failed, study.trials)) else None
    if region is None or region.failed == 0:
        return None
    second = _second(study, region)
    if second is None:
        return None
    across, up = _axis(region.parameter), _axis(second)
    inside = f"{region.failed} of {region.trials} failed in the shaded part, {region.outside} elsewhere"
    x, y = across.channel("across", "x"), up.channel("up", "y")
    zone = _zone(region, across)
    shade: Spec = {
        "data": {"name": "zone"},
        "mark": {"type": "rect", "color": "var(--error)", "opacity": 0.12},
        "encoding": {"x": x | {"field": "from"}, "x2": {"field": "to"}},
    }
    spec = layered(*([shade] if zone else []), *_dots(x, y))
    spec["params"] = [*across.params("across"), *up.params("up")]
    title = f"where trials failed (×): {second.path} over {region.parameter.path}; {inside}"
    both = _rows(study, lambda trial: share_of(region.parameter, trial), lambda trial: share_of(second, trial))
    return Chart(
        title=title,
        summary=title,
        spec=spec,
        data={"trials": both, "zone": {"from": [low for low, _ in zone], "to": [high for _, high in zone]}},
    )


def _slice(study: SearchStudy, parameter: SearchParameter) -> Chart | None:
    shown = [trial for trial in study.trials if finite_trial(trial) and share_of(parameter, trial) is not None]
    if not shown:
        return None
    across = _axis(parameter)
    x, y = across.channel("across", "x"), number("y", _value_axis(values_of(shown), study.metric))
    best = _isolated(study, parameter) if parameter.kind != "choice" else []
    line: Spec = {
        "data": {"name": "best"},
        "mark": {"type": "line", "color": "var(--c2)"},
        "encoding": {"x": x, "y": y},
    }
    spec = layered(*([line] if best else []), *_dots(x, y), height=SMALL)
    spec["params"] = across.params("across")
    return Chart(
        title=parameter.name,
        summary=f"{study.metric} of {len(shown)} trials over {parameter.name}",
        spec=spec,
        data={
            "trials": _rows(study, lambda trial: share_of(parameter, trial)),
            "best": {"x": [x for x, _ in best], "y": [_held(y) for _, y in best]},
        },
    )


def _dots(x: Spec, y: Spec) -> list[Spec]:
    """Return trials as points, and as crosses those that failed: above the chart where they have no height."""
    domain = list(KINDS)
    tips: Spec = {"tooltip": [{"field": "told", "type": "nominal"}]}
    kind: Spec = {"field": "kind", "type": "nominal", "legend": None}
    points: Spec = {
        "data": {"name": "trials"},
        "transform": [{"filter": "datum.kind != 'failed' && isValid(datum.y)"}],
        "mark": {"type": "point", "filled": True, "size": 45, "opacity": 1, "strokeWidth": 1.5},
        "encoding": {
            "x": x,
            "y": y,
            "fill": kind | {"scale": {"domain": domain, "range": list(FILLS)}},
            "stroke": kind | {"scale": {"domain": domain, "range": list(EDGES)}},
            **tips,
        },
    }
    cross: Spec = {"type": "text", "text": "×", "color": "var(--error)", "fontSize": 15, "fontWeight": "bold"}
    lost: Spec = {
        "data": {"name": "trials"},
        "transform": [{"filter": "datum.kind == 'failed' && !isValid(datum.y)"}],
        "mark": cross | {"y": -6},
        "encoding": {"x": x, **tips},
    }
    placed: Spec = {
        "data": {"name": "trials"},
        "transform": [{"filter": "datum.kind == 'failed' && isValid(datum.y)"}],
        "mark": cross,
        "encoding": {"x": x, "y": y, **tips},
    }
    return [points, lost, placed]


def _rows(
    study: SearchStudy,
    x: Callable[[SearchTrial], float | None],
    y: Callable[[SearchTrial], float | None] | None = None,
) -> dict[str, list[object]]:
    """Return the trials that have a place along x; without ``y`` their value is their height."""
    columns: dict[str, list[object]] = {name: [] for name in ("x", "y", "kind", "told")}
    for trial in study.trials:
        at = x(trial)
        up = y(trial) if y is not None else _held(trial.value) if finite_trial(trial) else None
        if at is None or (y is not None and up is None):
            continue
        for name, value in zip(columns, (at, up, _kind(study, trial), told(study, trial)), strict=True):
            columns[name].append(value)
    return columns


def _value_axis(values: Sequence[float], label: str) -> Axis:
    """Return an axis that holds these values, logarithmic where they are positive and wide apart."""
    low, high = max(min(values), -MOST), min(max(values), MOST)
    if low > 0 and high / WIDE > low:
        room = (high / low) ** 0.04
        return Axis(label, log=True, low=low / room, high=min(high * room, MOST))
    room = (high / 2 - low / 2) * 0.08 or abs(low) / 2 or 0.5
    return Axis(label, low=max(low - room, -MOST), high=min(high + room, MOST))


def _held(value: float | None) -> float | None:
    return None if value is None else min(max(value, -MOST), MOST)


def _isolated(study: SearchStudy, parameter: SearchParameter) -> list[tuple[float, float]]:
    """Return the best trial of each part of a range, whatever the other parameters were there."""
    best: dict[int, tuple[float, float]] = {}
    for trial in reversed(ranked(study)):
        share = share_of(parameter, trial)
        if share is not None and trial.value is not None:
            best[math.floor(min(max(share, ZERO), 0.999) * BUCKETS)] = (share, trial.value)
    return sorted(best.values())


def _second(study: SearchStudy, region: Region) -> SearchParameter | None:
    order = {item.name: rank for rank, item in enumerate(study.importances)}
    others = [item for item in study.parameters if item.path != region.parameter.path and len(labels_of(item)) > 1]
    others = [item for item in others if any(share_of(item, trial) is not None for trial in study.trials)]
    return min(others, key=lambda item: order.get(item.name, len(order)), default=None)


def _zone(region: Region, across: Labels) -> list[tuple[float, float]]:
    """Return the part of a range in which trials fail."""
    parameter = region.parameter
    if region.choice is not None:
        at = _choice_place(parameter, region.choice)
        half = 0.4 / max(len(parameter.choices), 1)
        return [(max(at - half, across.low), min(at + half, across.high))]
    edge, good = place(parameter, region.edge), place(parameter, region.last_good)
    if edge is None or good is None:
        return []
    first, last = sorted(((edge + good) / 2, 1.0 if region.above else 0.0))
    return [(first, last)]


def _kind(study: SearchStudy, trial: SearchTrial) -> str:
    if not finite_trial(trial):
        return "failed"
    if trial.baseline:
        return "own"
    if trial.number == study.chosen:
        return "top"
    return "ok" if trial.ending == "ok" else "early"


def told(study: SearchStudy, trial: SearchTrial) -> str:
    """Return a trial in words, for who points at it."""
    reached = f"{study.metric} {trial.value:.4g}" if trial.value is not None else f"no {study.metric}"
    name = trial_title(trial.number, baseline=trial.baseline)
    return f"{name}, {trial.ending}: {reached}. {_settings(trial)}"


def _settings(trial: SearchTrial) -> str:
    return "; ".join(
        f"{item.name} {item.text if item.number is None else f'{item.number:.3g}'}" for item in trial.params
    )


def finite_trial(trial: SearchTrial) -> bool:
    """Return whether a trial reached a value that can be drawn."""
    return trial.value is not None and math.isfinite(trial.value) and not failed(trial)


def values_of(trials: Sequence[SearchTrial]) -> list[float]:
    """Return what trials reached."""
    return [trial.value for trial in trials if trial.value is not None]


def _best_so_far(study: SearchStudy) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    sign = 1 if study.minimize else -1
    for trial in usable(study):
        if trial.value is not None and (not found or sign * trial.value < sign * found[-1][1]):
            found.append((float(trial.number), trial.value))
    return found


def _axis(parameter: SearchParameter) -> Labels:
    """Return the axis of a parameter, on which values are places from 0 to 1."""
    labels = labels_of(parameter)
    title = f"{parameter.path}{f' ({parameter.when})' if parameter.when else ''}"
    low = ZERO if parameter.or_zero else -0.02
    return Labels(title, low, 1.02, [share for share, _ in labels], [words for _, words in labels])


def labels_of(parameter: SearchParameter) -> list[tuple[float, str]]:
    """Return where a parameter's axis is labelled, and with what."""
    if parameter.kind == "choice":
        return [(_choice_place(parameter, choice), choice) for choice in parameter.choices]
    found = [(share, value_at(parameter, share)) for share in (0.0, 0.5, 1.0)]
    zero = [(ZERO, "0")] if parameter.or_zero else []
    return zero + [(share, _number(parameter, value)) for share, value in found if value is not None]


def _number(parameter: SearchParameter, value: float) -> str:
    return f"{value:.0f}" if parameter.kind in WHOLE_KINDS and abs(value) < 1e6 else f"{value:.2g}"


def _choice_place(parameter: SearchParameter, choice: str) -> float:
    if choice not in parameter.choices:
        return 0.5
    return (parameter.choices.index(choice) + 0.5) / len(parameter.choices)


def share_of(parameter: SearchParameter, trial: SearchTrial) -> float | None:
    """Return where a trial lies along a parameter, None where it has no value of it or one outside of the range."""
    if parameter.kind == "choice":
        made = text_of(trial, parameter.name)
        return None if made is None or made not in parameter.choices else _choice_place(parameter, made)
    value = number_of(trial, parameter.name)
    share = place(parameter, value)
    if share is None:
        return ZERO if value == 0 and parameter.or_zero else None
    return share if -0.01 <= share <= 1.01 else None
