"""All parameters of a study side by side: every trial as a line through them to its value."""

from __future__ import annotations

from dlcheck.report.html.chart import Chart, Key, Spec, layered
from dlcheck.report.html.trials import ZERO, Labels, finite_trial, labels_of, share_of, told, values_of
from dlcheck.rules.search.region import failed
from dlcheck.rules.search.rows import ranked
from dlcheck.runs.facts import SearchStudy, SearchTrial

TOP_TRIALS = 3
"""Trials drawn as the best ones."""
THREADS = {"failed": (0.4, 1), "other": (0.3, 1), "own": (1, 2), "top": (1, 2)}
"""Opacity and width of each kind of line."""


def parallel(study: SearchStudy) -> Chart | None:
    """Return every trial as a line through all of its parameters to its value."""
    axes = [item for item in study.parameters if len(labels_of(item)) > 1]
    shown = [trial for trial in study.trials if finite_trial(trial)]
    if len(axes) < 2 or not shown:
        return None
    values = values_of(shown)
    low, high = min(values), max(values)
    threads = _threads(study)
    columns: dict[str, list[object]] = {name: [] for name in ("trial", "at", "share", "kind", "told", "alpha", "width")}
    for trial, kind in threads:
        shares = [share_of(parameter, trial) for parameter in axes]
        last = _along(trial.value, low, high) if trial.value is not None and finite_trial(trial) else None
        for at, share in enumerate([*shares, last]):
            row = (trial.number, at, share, kind, told(study, trial), *THREADS[kind])
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    ends = [(0.0, f"{low:.3g}"), (1.0, f"{high:.3g}")] if low < high else [(0.5, f"{low:.3g}")]
    marks = [(at, *label) for at, item in enumerate(axes) for label in labels_of(item)]
    marks += [(len(axes), *label) for label in ends]
    names = Labels("", 0, len(axes), range(len(axes) + 1), [*(item.path for item in axes), study.metric])
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


def _parallel_spec(names: Labels) -> Spec:
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


def _threads(study: SearchStudy) -> list[tuple[SearchTrial, str]]:
    best = {trial.number for trial in ranked(study)[:TOP_TRIALS]}
    kinds = [(trial, "failed" if failed(trial) else "other") for trial in study.trials]
    kinds = [(trial, "top" if trial.number in best else kind) for trial, kind in kinds]
    kinds = [(trial, "own" if trial.baseline and kind != "failed" else kind) for trial, kind in kinds]
    return sorted(kinds, key=lambda pair: ("failed", "other", "own", "top").index(pair[1]))


def _along(value: float, low: float, high: float) -> float:
    """Return where a value lies from 0 to 1; in halves, as the distance between the largest numbers overflows."""
    return 0.5 if low == high else (value / 2 - low / 2) / (high / 2 - low / 2)
