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
TOP_TRIALS = 3
"""Trials drawn as the best ones."""
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

THREADS = {"failed": (0.4, 1), "other": (0.3, 1), "own": (1, 2), "top": (1, 2)}
"""Opacity and width of each kind of line."""


@dataclass(frozen=True, slots=True)
class _Labels:
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
    shown = [trial for trial in study.trials if _finite(trial)]
    if not shown:
        return None
    values = _values(shown)
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


def parallel(study: SearchStudy) -> Chart | None:
    """Return every trial as a line through all of its parameters to its value."""
    axes = [item for item in study.parameters if len(_labels(item)) > 1]
    shown = [trial for trial in study.trials if _finite(trial)]
    if len(axes) < 2 or not shown:
        return None
    values = _values(shown)
    low, high = min(values), max(values)
    threads = _threads(study)
    columns: dict[str, list[object]] = {name: [] for name in ("trial", "at", "share", "kind", "told", "alpha", "width")}
    for trial, kind in threads:
        shares = [_share(parameter, trial) for parameter in axes]
        last = _along(trial.value, low, high) if trial.value is not None and _finite(trial) else None
        for at, share in enumerate([*shares, last]):
            row = (trial.number, at, share, kind, _told(study, trial), *THREADS[kind])
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    ends = [(0.0, f"{low:.3g}"), (1.0, f"{high:.3g}")] if low < high else [(0.5, f"{low:.3g}")]
    marks = [(at, *label) for at, item in enumerate(axes) for label in _labels(item)]
    marks += [(len(axes), *label) for label in ends]
    names = _Labels("", 0, len(axes), range(len(axes) + 1), [*(item.path for item in axes), study.metric])
    return Chart(
        title="values of every trial; the best three and your recipe stand out",
        summary=f"{len(threads)} trials as lines through {len(axes)} parameters to {study.metric}",
        spec=_parallel_spec(names),
        data={
            "threads": columns,
            "marks": {
                "at": [at for at, _, _ in marks],
                "share": [share for _, share, _ in marks],
                "words": [words for _, _, words in marks],
            },
        },
        keys=(Key("line c2", "best three"), Key("line c1", "your recipe"), Key("line c0", "others")),
    )


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
    both = _rows(study, lambda trial: _share(region.parameter, trial), lambda trial: _share(second, trial))
    return Chart(
        title=title,
        summary=title,
        spec=spec,
        data={"trials": both, "zone": {"from": [low for low, _ in zone], "to": [high for _, high in zone]}},
    )


def _slice(study: SearchStudy, parameter: SearchParameter) -> Chart | None:
    shown = [trial for trial in study.trials if _finite(trial) and _share(parameter, trial) is not None]
    if not shown:
        return None
    across = _axis(parameter)
    x, y = across.channel("across", "x"), number("y", _value_axis(_values(shown), study.metric))
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
            "trials": _rows(study, lambda trial: _share(parameter, trial)),
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
        up = y(trial) if y is not None else _held(trial.value) if _finite(trial) else None
        if at is None or (y is not None and up is None):
            continue
        for name, value in zip(columns, (at, up, _kind(study, trial), _told(study, trial)), strict=True):
            columns[name].append(value)
    return columns


def _parallel_spec(names: _Labels) -> Spec:
    x = names.channel("names", "at")
    x["axis"] = {**_mapping(x["axis"]), "orient": "bottom", "domain": False, "gridColor": "var(--soft)"}
    y: Spec = {"field": "share", "type": "quantitative", "axis": None, "scale": {"domain": [ZERO, 1.02]}}
    kinds = ["failed", "other", "own", "top"]
    colours = ["var(--error)", "var(--c0)", "var(--c1)", "var(--c2)"]
    kind: Spec = {"field": "kind", "type": "nominal", "legend": None}
    pointed: Spec = {"param": "thread", "empty": False}
    as_it_is: Spec = {"type": "quantitative", "scale": None, "legend": None}
    near: Spec = {"type": "point", "on": "pointerover", "clear": "pointerout", "fields": ["trial"]}
    lines: Spec = {
        "data": {"name": "threads"},
        "mark": {"type": "line", "invalid": "break-paths-show-path-domains"},
        "params": [{"name": "thread", "select": near}],
        "encoding": {
            "x": x,
            "y": y,
            "detail": {"field": "trial", "type": "nominal"},
            "color": kind | {"scale": {"domain": kinds, "range": colours}},
            "opacity": {"condition": pointed | {"value": 1}, "field": "alpha", **as_it_is},
            "strokeWidth": {"condition": pointed | {"value": 3}, "field": "width", **as_it_is},
            "tooltip": [{"field": "told", "type": "nominal"}],
        },
    }
    words: Spec = {
        "data": {"name": "marks"},
        "mark": {"type": "text", "align": "left", "dx": 4, "color": "var(--soft)"},
        "encoding": {"x": x, "y": y, "text": {"field": "words", "type": "nominal"}},
    }
    return layered(lines, words, height=260) | {"params": names.params("names")}


def _mapping(content: object) -> Spec:
    return dict(content) if isinstance(content, dict) else {}


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


def _along(value: float, low: float, high: float) -> float:
    """Return where a value lies from 0 to 1; in halves, as the distance between the largest numbers overflows."""
    return 0.5 if low == high else (value / 2 - low / 2) / (high / 2 - low / 2)


def _isolated(study: SearchStudy, parameter: SearchParameter) -> list[tuple[float, float]]:
    """Return the best trial of each part of a range, whatever the other parameters were there."""
    best: dict[int, tuple[float, float]] = {}
    for trial in reversed(ranked(study)):
        share = _share(parameter, trial)
        if share is not None and trial.value is not None:
            best[math.floor(min(max(share, ZERO), 0.999) * BUCKETS)] = (share, trial.value)
    return sorted(best.values())


def _second(study: SearchStudy, region: Region) -> SearchParameter | None:
    order = {item.name: rank for rank, item in enumerate(study.importances)}
    others = [item for item in study.parameters if item.path != region.parameter.path and len(_labels(item)) > 1]
    others = [item for item in others if any(_share(item, trial) is not None for trial in study.trials)]
    return min(others, key=lambda item: order.get(item.name, len(order)), default=None)


def _zone(region: Region, across: _Labels) -> list[tuple[float, float]]:
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


def _threads(study: SearchStudy) -> list[tuple[SearchTrial, str]]:
    best = {trial.number for trial in ranked(study)[:TOP_TRIALS]}
    kinds = [(trial, "failed" if failed(trial) else "other") for trial in study.trials]
    kinds = [(trial, "top" if trial.number in best else kind) for trial, kind in kinds]
    kinds = [(trial, "own" if trial.baseline and kind != "failed" else kind) for trial, kind in kinds]
    return sorted(kinds, key=lambda pair: ("failed", "other", "own", "top").index(pair[1]))


def _kind(study: SearchStudy, trial: SearchTrial) -> str:
    if not _finite(trial):
        return "failed"
    if trial.baseline:
        return "own"
    if trial.number == study.chosen:
        return "top"
    return "ok" if trial.ending == "ok" else "early"


def _told(study: SearchStudy, trial: SearchTrial) -> str:
    """Return a trial in words, for who points at it."""
    reached = f"{study.metric} {trial.value:.4g}" if trial.value is not None else f"no {study.metric}"
    name = trial_title(trial.number, baseline=trial.baseline)
    return f"{name}, {trial.ending}: {reached}. {_settings(trial)}"


def _settings(trial: SearchTrial) -> str:
    return "; ".join(
        f"{item.name} {item.text if item.number is None else f'{item.number:.3g}'}" for item in trial.params
    )


def _finite(trial: SearchTrial) -> bool:
    return trial.value is not None and math.isfinite(trial.value) and not failed(trial)


def _values(trials: Sequence[SearchTrial]) -> list[float]:
    return [trial.value for trial in trials if trial.value is not None]


def _best_so_far(study: SearchStudy) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    sign = 1 if study.minimize else -1
    for trial in usable(study):
        if trial.value is not None and (not found or sign * trial.value < sign * found[-1][1]):
            found.append((float(trial.number), trial.value))
    return found


def _axis(parameter: SearchParameter) -> _Labels:
    """Return the axis of a parameter, on which values are places from 0 to 1."""
    labels = _labels(parameter)
    title = f"{parameter.path}{f' ({parameter.when})' if parameter.when else ''}"
    low = ZERO if parameter.or_zero else -0.02
    return _Labels(title, low, 1.02, [share for share, _ in labels], [words for _, words in labels])


def _labels(parameter: SearchParameter) -> list[tuple[float, str]]:
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


def _share(parameter: SearchParameter, trial: SearchTrial) -> float | None:
    """Return where a trial lies along a parameter, None where it has no value of it or one outside of the range."""
    if parameter.kind == "choice":
        made = text_of(trial, parameter.name)
        return None if made is None or made not in parameter.choices else _choice_place(parameter, made)
    value = number_of(trial, parameter.name)
    share = place(parameter, value)
    if share is None:
        return ZERO if value == 0 and parameter.or_zero else None
    return share if -0.01 <= share <= 1.01 else None
