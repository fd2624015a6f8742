"""A treatment as one HTML file in the look of all reports: verdict, proof, curves before and after, what was tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dlcheck.report.html.chart import INK, Chart, Key, Spec, layered
from dlcheck.report.html.curves import curve_chart
from dlcheck.report.html.page import page
from dlcheck.report.report import Report, Series, loss_series, metric_series, moment, x_label
from dlcheck.report.treated import Attempt, Fate, Proof, Round, Treated
from dlcheck.report.treatment_words import (
    amount,
    cost_line,
    difference,
    fate_line,
    in_points,
    look,
    next_line,
    proof_line,
    shown,
    spoken,
    title,
    values,
    was_now,
    worst,
)

MARGIN = 0.08
"""Of the drawn range, on either side."""
LOOKS = {Fate.KEPT: "healthy", Fate.WORSE: "error", Fate.DIED: "error", Fate.HIDES: "warning"}


def treatment_html(treated: Treated) -> str:
    """Return a whole HTML document of a treatment; all text from the user's side is escaped."""
    proof = treated.proof
    return page(
        "treatment.html",
        treated=treated,
        title=title(treated),
        look=look(treated),
        was_now=was_now(treated),
        proof_line=proof_line(proof) if proof is not None else "",
        interval=_interval(proof) if proof is not None else None,
        seeds=_seeds(proof) if proof is not None else (),
        changes=[(one.path, shown(one.new), shown(one.old), one.why) for one in treated.changes],
        curves=_curves(treated),
        rounds=[_round(one) for one in treated.rounds],
        plan=[_attempt(one) for one in treated.plan],
        diff=difference_lines(treated.diff),
        diagnoses=[(f"Diagnosis {when}", one) for when, one in _reports(treated)],
        cost=cost_line(treated),
        next=next_line(treated),
    )


def _reports(treated: Treated) -> list[tuple[str, Report]]:
    found = [("before", treated.before), ("after", treated.after)]
    return [(when, one) for when, one in found if one is not None]


def _seeds(proof: Proof) -> list[tuple[str, str, str, str]]:
    """Return what each seed reached before and after, and the difference."""
    return [
        (str(seed), amount(old, proof.metric), amount(new, proof.metric), _pair(proof, new - old))
        for seed, old, new in zip(proof.seeds, proof.before, proof.after, strict=True)
    ]


def _pair(proof: Proof, value: float) -> str:
    return difference(value, proof.metric) if math.isfinite(value) else "-"


def _interval(proof: Proof) -> Chart | None:
    """Draw the interval of the difference beside no difference; None without an interval."""
    pairs = [new - old for old, new in zip(proof.before, proof.after, strict=True) if math.isfinite(new - old)]
    ends = [0.0, proof.low, proof.high, *pairs]
    if not all(map(math.isfinite, ends)):
        return None
    scale = 100.0 if in_points(proof.metric) else 1.0
    room = MARGIN * (max(ends) - min(ends) or 1.0)
    low, high = min(ends) - room, max(ends) + room
    if in_points(proof.metric):
        low, high = max(low, -1.0), min(high, 1.0)  # no share can differ by more
    unit = f"{spoken(proof.metric)}, points" if in_points(proof.metric) else spoken(proof.metric)
    unit += "" if proof.greater_is_better else ", less is better"
    return Chart(
        title=f"difference in {unit}",
        summary=proof_line(proof),
        spec=_interval_spec(low * scale, high * scale, better=proof.better),
        data={
            "interval": {"low": [proof.low * scale], "high": [proof.high * scale], "mean": [proof.difference * scale]},
            "pairs": {"value": [one * scale for one in pairs], "told": [_pair(proof, one) for one in pairs]},
        },
        keys=(
            Key("box c2" if proof.better else "box gray", "the interval, and its mean"),
            Key("dot c0", "each seed"),
            Key("line c1", "no difference"),
        ),
    )


def _interval_spec(low: float, high: float, *, better: bool) -> Spec:
    scale: Spec = {"domain": [low, high], "nice": False, "zero": False}
    axis: Spec = {"title": None, "grid": False, "tickCount": 7}

    def x(field: str) -> Spec:
        return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}

    middle: Spec = {"y": {"value": 20}}
    bar: Spec = {
        "data": {"name": "interval"},
        "mark": {"type": "rule", "strokeWidth": 14, "color": "var(--c2)" if better else "var(--graysoft)"},
        "encoding": {"x": x("low"), "x2": {"field": "high"}, **middle},
    }
    mean: Spec = {
        "data": {"name": "interval"},
        "mark": {"type": "tick", "size": 30, "thickness": 3, "color": INK},
        "encoding": {"x": x("mean"), **middle},
    }
    seeds: Spec = {
        "data": {"name": "pairs"},
        "mark": {
            "type": "point",
            "filled": True,
            "size": 45,
            "opacity": 1,
            "color": "var(--c0)",
            "stroke": "var(--bg)",
        },
        "encoding": {"x": x("value"), **middle, "tooltip": [{"field": "told", "type": "nominal"}]},
    }
    none: Spec = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "strokeWidth": 2, "strokeDash": [7, 4], "color": "var(--c1)"},
        "encoding": {"x": {"datum": 0, "type": "quantitative", "scale": scale, "axis": axis}},
    }
    return layered(none, bar, mean, seeds, height=40)


def _curves(treated: Treated) -> list[Chart]:
    """Return the score that decides, and the losses, before and after on one chart each."""
    if treated.after is None:
        return []
    runs = _reports(treated)
    metric = [series for when, report in runs for series in _named(metric_series(report.run), when, treated.metric)]
    losses = [series for when, report in runs for series in _named(loss_series(report.run), when)]
    found = worst(treated.before)
    at = moment(treated.before, found) if found is not None else None
    marks = {f"{found.code} {found.name}": at} if found is not None and at is not None else {}
    label = x_label(treated.before.run)
    charts = [
        curve_chart(spoken(treated.metric), metric, x_label=label, marks=marks, may_log=False),
        curve_chart("loss", losses, x_label=label, marks=marks),
    ]
    return [chart for chart in charts if chart is not None]


def _named(series: Sequence[Series], when: str, only: str = "") -> list[Series]:
    kept = [one for one in series if not only or one.label == only]
    names = [one.label.replace("train_", "training ").replace("val_", "validation ") for one in kept]
    return [replace(one, label=when if only else f"{name} {when}") for one, name in zip(kept, names, strict=True)]


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One remedy as the page tells it."""

    fate: str
    look: str
    remedy: str
    keys: str
    told: str
    cost: str


def _round(one: Round) -> tuple[str, str, list[AttemptView]]:
    name = f"Against {one.finding.code} {one.finding.name}"
    return name, one.finding.summary, [_attempt(attempt) for attempt in one.attempts]


def _attempt(attempt: Attempt) -> AttemptView:
    planned = attempt.fate is Fate.NOT_TRIED
    told = fate_line(attempt).removeprefix(str(attempt.fate)).lstrip(":; ")
    return AttemptView(
        fate="" if planned else str(attempt.fate),
        look=LOOKS.get(attempt.fate, "soft"),
        remedy=attempt.remedy,
        keys=values(attempt),
        told=told[:1].upper() + told[1:],
        cost=f"{attempt.cost:.1f} trainings" if attempt.cost else "",
    )


def difference_lines(diff: str) -> list[tuple[str, str]]:
    """Return each line of a difference with its look."""
    kinds = {"+": "add", "-": "del"}
    return [("" if line.startswith(("+++", "---")) else kinds.get(line[:1], ""), line) for line in diff.splitlines()]
