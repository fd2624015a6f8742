"""The diagnosis as one HTML file that needs nothing else: verdict, findings, curves, layers, times; no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlcheck.report.html.chart import Chart
from dlcheck.report.html.curves import curve_chart
from dlcheck.report.html.layers import layer_charts
from dlcheck.report.html.page import page
from dlcheck.report.html.phases import phase_chart
from dlcheck.report.plain import counts_line, flat, headline, next_step, read_as
from dlcheck.report.report import (
    Report,
    Series,
    loss_series,
    metric_series,
    moment,
    rate_series,
    series_of,
    x_label,
)
from dlcheck.report.triage import WITH_CURVES, worst_finding
from dlcheck.runs.discover import Refused
from dlcheck.runs.facts import StepTimes

MOST_CHARTED = 12
"""Runs of one page whose layers are drawn too; more would make it too large to open."""


def to_html(reports: Iterable[Report], refused: Iterable[Refused] = (), *, top: int = 0) -> str:
    """Return a whole HTML document of one or more runs; all text from the user's side is escaped.

    Args:
        reports: The runs; with more than one a table of all comes first.
        refused: What could not be read.
        top: Runs to tell in full at most; 0: those that still have their curves.
    """
    runs, lost = list(reports), list(refused)
    full = runs[:top] if top else runs[:WITH_CURVES]
    layers = len(full) <= MOST_CHARTED
    return page(
        "runs.html",
        title=_title(runs),
        triage=_triage(runs, len(full)) if len(runs) != 1 else None,
        runs=[run_view(report, place, layers=layers) for place, report in enumerate(full, start=1)],
        refused=[(str(item.path), item.why) for item in lost],
    )


def _title(runs: Sequence[Report]) -> str:
    return f"{runs[0].verdict}: {runs[0].source}" if len(runs) == 1 else f"{len(runs)} runs"


@dataclass(frozen=True, slots=True)
class TriageView:
    """The table of all runs, and how often each rule found something."""

    headline: str
    rows: Sequence[tuple[str, str, str, str, str]]
    """Verdict, worst finding, number of findings, run, and where on the page it is told; empty where it is not."""
    rules: Sequence[tuple[str, str]]


def _triage(runs: Sequence[Report], full: int) -> TriageView:
    verdicts = Counter(report.verdict for report in runs)
    told = ", ".join(f"{verdicts[word]} {word}" for word in ("sick", "healthy", "unknown"))
    found = Counter(code for report in runs for code in {f"{f.code} {f.name}" for f in report.outcome.findings})
    by_rule = [(rule, str(count)) for rule, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))]
    rows = [_triage_row(report, place, full) for place, report in enumerate(runs, start=1)]
    return TriageView(f"{len(runs)} runs: {told}", rows, by_rule)


def _triage_row(report: Report, place: int, full: int) -> tuple[str, str, str, str, str]:
    worst = worst_finding(report)
    finding = f"{worst.code} {worst.name}" if worst is not None else "none"
    count = str(len(report.outcome.findings))
    return report.verdict, finding, count, report.source, f"run-{place}" if place <= full else ""


@dataclass(frozen=True, slots=True)
class RunView:
    """What a page tells of one run."""

    report: Report
    place: int
    headline: str
    counts: str
    charts: Sequence[tuple[str, Sequence[Chart]]]
    """Under headings."""
    read_as: Sequence[str]
    folded: Mapping[str, Sequence[tuple[str, str]]]
    """Tables that open on demand."""
    next: str
    profile: object = None


def run_view(report: Report, place: int = 1, *, layers: bool = True) -> RunView:
    """Return what a page tells of a run."""
    kept = {name: _words(report.run.meta.get(name)) for name in ("recipe", "environment")}
    kept["facts"] = _words(report.run.facts)
    return RunView(
        report=report,
        place=place,
        headline=headline(report),
        counts=counts_line(report.outcome),
        charts=[(name, charts) for name, charts in _charts(report, place, layers=layers) if charts],
        read_as=list(read_as(report)),
        folded={name: rows for name, rows in kept.items() if rows},
        next=next_step(report),
        profile=_profile(report),
    )


def _profile(report: Report) -> object:
    """Return where the time of a step goes, where that was measured."""
    if StepTimes.NAME not in report.run.facts:
        return None
    from dlcheck.report.html.profile import profile_view  # rarely needed

    return profile_view(report)


def _charts(report: Report, place: int, *, layers: bool) -> list[tuple[str, list[Chart]]]:
    run, label = report.run, x_label(report.run)
    marks, group = _marks(report), f"run-{place}"

    def chart(title: str, series: list[Series], **more: object) -> Chart | None:
        return curve_chart(title, series, x_label=label, group=group, **more)  # type: ignore[arg-type]

    metric, losses = metric_series(run), loss_series(run)
    curves = [
        chart("loss", losses, marks=marks),
        chart("learning rate", rate_series(run), height=90),
        chart(_name(metric, "metric"), metric, marks=marks, may_log=False),
        chart("gap between validation and training loss", _gaps(losses), level=0.0, may_log=False, height=140),
        chart("gradient norm of the whole network", series_of(run, ("grad_norm", "grad_norm_clipped")), height=140),
    ]
    time = [
        phase_chart(run),
        chart("samples a second", series_of(run, ("samples_per_s",)), may_log=False, height=110),
        chart("memory in use on the device, GiB", series_of(run, ("memory_gib",)), may_log=False, height=110),
    ]
    maps = layer_charts(run) if layers else []
    return [("Curves", _known(curves)), ("Layers", maps), ("Time and memory", _known(time))]


def _known(charts: Iterable[Chart | None]) -> list[Chart]:
    return [chart for chart in charts if chart is not None]


def _name(series: Sequence[Series], otherwise: str) -> str:
    return series[0].label.partition("_")[2].replace("_", " ") or otherwise if series else otherwise


def _gaps(series: Sequence[Series]) -> list[Series]:
    """Return by how much the validation loss lies above the training loss, where both were measured."""
    if len(series) != 2:
        return []
    train, val = series
    both, at_train, at_val = np.intersect1d(train.x, val.x, return_indices=True)
    with np.errstate(over="ignore", invalid="ignore"):  # of gigantic numbers there is no gap to draw
        gap = val.y[at_val] - train.y[at_train]
    return [Series("val_loss - train_loss", both, gap)] if len(both) > 1 else []


def _marks(report: Report) -> dict[str, float]:
    """Return where along x each primary finding begins."""
    moments = {f"{item.code} {item.name}": moment(report, item) for item in report.outcome.findings if item.primary}
    return {name: at for name, at in moments.items() if at is not None}


def _words(content: object) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in flat(content)]
