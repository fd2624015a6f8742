"""A study as one HTML file in the look of all reports, from its fact alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean, stdev

import numpy as np

from dlcheck.report.html.bars import Bar, bar_chart
from dlcheck.report.html.chart import Axis, Chart, Spec, layered, number
from dlcheck.report.html.curves import curve_chart
from dlcheck.report.html.page import page
from dlcheck.report.html.parallel import parallel
from dlcheck.report.html.trials import EDGES, KEYS, failures, history, slices
from dlcheck.report.plain import counts_line, headline, next_step
from dlcheck.report.report import Report, Series
from dlcheck.rules.search.gain import alive, confirmed_gain
from dlcheck.rules.search.rows import ranked
from dlcheck.runs.facts import SearchStudy, SearchTrial
from dlcheck.runs.facts.search import trial_title

CURVES = 5
"""Trials whose learning curves are shown."""
MOST_REASON = 160
SPAN_UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))


def study_html(report: Report, study: SearchStudy) -> str:
    """Return a whole HTML document of a study; all text from the user's side is escaped."""
    gain = confirmed_gain(study)
    confirmed, rows = _confirmed(study)
    return page(
        "study.html",
        report=report,
        study=study,
        verdict=_verdict(report),
        gain=gain,
        confirmed=confirmed,
        confirmed_head=("", f"mean {study.metric}", "standard deviation", "each seed", ""),
        confirmed_rows=rows,
        keys=KEYS,
        history=history(study),
        slices=slices(study),
        parallel=parallel(study),
        importances=_importances(study),
        curves=_curves(study),
        failures=failures(study),
        endings=_endings(study),
        counts=counts_line(report.outcome),
        next=next_step(report),
    )


def _verdict(report: Report) -> str:
    """Return the verdict in one sentence, in the words of a search."""
    if report.verdict == "sick":
        return headline(report)
    if report.verdict == "healthy":
        return "healthy: the gain is above retrain noise, most trials could be used, and the budget was enough"
    if any(item.code == "S602" for item in report.outcome.not_checked):
        return "unknown: what the best trials gain was not confirmed with other seeds"
    return "unknown: nothing is certainly amiss, and not all that is said below is settled"


def _confirmed(study: SearchStudy) -> tuple[Chart | None, Sequence[tuple[str, ...]]]:
    """Return what each seed reached of the recipe and the best trials, as points and as a table."""
    groups = [group for group in study.confirmed if group.values]
    known = [value for group in groups for value in group.values if np.isfinite(value)]
    if not known:
        return None, ()
    columns: dict[str, list[object]] = {name: [] for name in ("group", "y", "look", "told")}
    means: dict[str, list[object]] = {"group": [], "y": []}
    rows = []
    for group in groups:
        name = trial_title(group.trial, baseline=group.baseline)
        look = EDGES[2] if group.baseline else EDGES[3] if group.trial == study.chosen else EDGES[0]
        values = [value for value in group.values if np.isfinite(value)]
        for seed, value in zip(group.seeds, group.values, strict=False):
            if np.isfinite(value):
                told = f"{name}, seed {seed}: {value:.4g}"
                for key, item in zip(columns, (name, value, look, told), strict=True):
                    columns[key].append(item)
        if values:
            means["group"].append(name)
            means["y"].append(fmean(values))
        spread = f"{stdev(values):.2g}" if len(values) > 1 else ""
        mean = f"{fmean(values):.4g}" if values else ""
        died = "" if alive(group) else f"{len(group.values) - len(values)} died"
        rows.append((name, mean, spread, ", ".join(f"{value:.4g}" for value in values), died))
    chart = Chart(
        title=f"{study.metric} by seed, and the mean",
        summary=f"{study.metric} by seed: {'; '.join(f'{row[0]} mean {row[1]}' for row in rows)}",
        spec=_confirmed_spec(study.metric),
        data={"seeds": columns, "means": means},
    )
    return chart, rows


def _confirmed_spec(metric: str) -> Spec:
    x: Spec = {"field": "group", "type": "nominal", "title": None, "sort": None, "axis": {"labelAngle": 0}}
    y = number("y", Axis(metric))
    seeds: Spec = {
        "data": {"name": "seeds"},
        "mark": {"type": "point", "filled": True, "size": 50, "opacity": 0.85},
        "encoding": {
            "x": x,
            "y": y,
            "color": {"field": "look", "type": "nominal", "scale": None},
            "tooltip": [{"field": "told", "type": "nominal"}],
        },
    }
    means: Spec = {
        "data": {"name": "means"},
        "mark": {"type": "tick", "size": 40, "thickness": 2, "color": "var(--fg)"},
        "encoding": {"x": x, "y": y},
    }
    return layered(seeds, means, height=200)


def _importances(study: SearchStudy) -> Chart | None:
    bars = [
        Bar(item.name, _share(item.value), f"{item.value:.2f}", "c0", _share(item.low), _share(item.high))
        for item in study.importances
    ]
    return bar_chart(f"share of the variance of {study.metric}: {study.importance_note}", bars)


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def _curves(study: SearchStudy) -> Chart | None:
    best = [trial for trial in ranked(study) if len(trial.curve) > 1][:CURVES]
    own = next((trial for trial in study.trials if trial.baseline and len(trial.curve) > 1), None)
    shown = [*best, *([own] if own is not None and own not in best else [])]
    return curve_chart(study.metric, [_series(trial) for trial in shown], x_label="epoch", group="study")


def _series(trial: SearchTrial) -> Series:
    name = trial_title(trial.number, baseline=trial.baseline)
    x, y = np.array([(float(point.epoch), point.value) for point in trial.curve]).T
    return Series(name, x, y)


def _endings(study: SearchStudy) -> Sequence[tuple[str, ...]]:
    """Return how trials ended: ending, trials, time, its share, and a reason."""
    kinds: dict[str, list[SearchTrial]] = defaultdict(list)
    for trial in study.trials:
        kinds[trial.ending].append(trial)
    seconds = sum(trial.seconds for trial in study.trials) or 1.0
    rows = []
    for ending, trials in sorted(kinds.items(), key=lambda item: -len(item[1])):
        spent = sum(trial.seconds for trial in trials)
        reason = next((trial.reason for trial in trials if trial.reason), "")
        rows.append((ending, str(len(trials)), _span(spent), f"{spent / seconds:.0%}", _shortened(reason)))
    return rows


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_REASON else f"{text[: MOST_REASON - 1]}…"


def _span(seconds: float) -> str:
    size, unit = next(((size, unit) for size, unit in SPAN_UNITS if seconds >= 2 * size), (1.0, "s"))
    return f"{seconds / size:.3g} {unit}"
