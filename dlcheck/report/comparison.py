"""Several runs side by side: what each reached, in what they differ, and what was found in which."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from dlcheck.report.lines import hanging
from dlcheck.report.look import HEAD, NEXT, VERDICTS, Column, show, table, width_of
from dlcheck.report.plain import flat, next_step, printable
from dlcheck.report.report import Report, Series, loss_series, metric_series, rate_series, x_label
from dlcheck.report.triage import Triage
from dlcheck.runs.run import Run
from dlcheck.runs.signals import lower_is_better, main_metric, signal_curve
from dlcheck.runs.strict_json import dumps

SCHEMA = "dlcheck.comparison/1"
NO_SETTINGS = ("title", "expect", "lesson", "name")
"""Keys of a recipe that say what it is, and set nothing."""
MOST_CURVES = 8
"""Runs whose curves share a chart."""
CAUTION = "one training each: a difference smaller than that of two seeds says nothing (dlcheck treat measures it)"


@dataclass(frozen=True, slots=True)
class Reached:
    """The best value of a metric on validation data, and when it was reached."""

    value: float
    at: float
    """Along ``x_label`` of the run."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One run of a comparison."""

    name: str
    """Short, and of no other run of it."""
    report: Report
    along: str
    """``epoch`` or ``step``."""
    length: float | None
    """Epochs or steps that were trained."""
    loss: Reached | None
    metric: Reached | None
    test: float | None
    """The metric on test data, measured once."""
    seconds: float | None
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several runs side by side."""

    runs: tuple[Compared, ...]
    metric: str
    """Beside the loss, of the first run that has one; empty when none has."""
    less_is_better: bool
    differing: Mapping[str, tuple[str, ...]]
    """Key of the recipe to its value in each run; "" where a run has none."""
    findings: Mapping[str, tuple[str, ...]]
    """Code and name of what was found to severity in each run, "" where it was not."""

    @property
    def headline(self) -> str:
        """How many runs of which verdict, in a line."""
        words = [run.report.verdict for run in self.runs]
        told = ", ".join(f"{words.count(word)} {word}" for word in ("sick", "healthy", "unknown") if word in words)
        return f"{len(self.runs)} runs compared: {told}"

    @property
    def best(self) -> int | None:
        """Place of the run with the best metric, or lowest loss where none has a metric; None without a value."""
        if self.metric and (place := self._best(lambda run: run.metric, less=self.less_is_better)) is not None:
            return place
        return self._best(lambda run: run.loss, less=True)

    def _best(self, of: Callable[[Compared], Reached | None], *, less: bool) -> int | None:
        known = [(found.value, place) for place, run in enumerate(self.runs) if (found := of(run)) is not None]
        if not known:
            return None
        value = (min if less else max)(value for value, _ in known)
        return next(place for one, place in known if one == value)


def compare(reports: Sequence[Report]) -> Comparison:
    """Return judged runs side by side, in the order given."""
    metric = next((name for report in reports if (name := main_metric(report.run))), "")
    of = next((report.run for report in reports if main_metric(report.run) == metric), None)
    runs = [_compared(report, name, metric) for report, name in zip(reports, _names(reports), strict=True)]
    keys = list(dict.fromkeys(key for run in runs for key in run.settings))
    rows = {key: tuple(run.settings.get(key, "") for run in runs) for key in keys}
    found = {f"{item.code} {item.name}" for report in reports for item in report.outcome.findings}
    return Comparison(
        runs=tuple(runs),
        metric=metric,
        less_is_better=bool(metric) and lower_is_better(metric, of),
        differing={key: values for key, values in rows.items() if len(set(values)) > 1},
        findings={name: tuple(_severity(report, name) for report in reports) for name in sorted(found)},
    )


def curves(comparison: Comparison) -> Iterator[tuple[str, list[Series]]]:
    """Yield title and curves, one a run, of what several runs have in common."""
    shown = comparison.runs[:MOST_CURVES]
    kinds: list[tuple[str, Callable[[Run], list[Series]], str]] = [
        (f"val_{comparison.metric}", metric_series, f"val_{comparison.metric}"),
        ("val_loss", loss_series, "val_loss"),
        ("train_loss", loss_series, ""),
        ("learning rate", rate_series, "lr"),
    ]
    for title, read, label in kinds:
        series = []
        for run in shown:
            fitting = [
                one for one in read(run.report.run) if one.label == label or (not label and "val" not in one.label)
            ]
            series += [Series(run.name, one.x, one.y) for one in fitting[:1]]
        if series:
            yield title, series


def comparison_json(comparison: Comparison) -> str:
    """Return the comparison as JSON, ending in a line break."""
    runs = [
        {
            "name": run.name,
            "source": run.report.source,
            "verdict": run.report.verdict,
            "findings": [f"{item.code} {item.name}" for item in run.report.outcome.findings],
            "along": run.along,
            "length": run.length,
            "best_val_loss": _object(run.loss),
            "best_val_metric": _object(run.metric),
            "test_metric": run.test,
            "seconds": run.seconds,
        }
        for run in comparison.runs
    ]
    best = comparison.best
    content = {
        "schema": SCHEMA,
        "metric": comparison.metric or None,
        "runs": runs,
        "best": None if best is None else comparison.runs[best].name,
        "differing": {key: list(values) for key, values in comparison.differing.items()},
        "findings": {key: list(values) for key, values in comparison.findings.items()},
    }
    return dumps(content, indent=2) + "\n"


def render_comparison(comparison: Comparison, console: Console) -> None:
    """Print the comparison: a row a run, then a row for each setting that differs and each finding."""
    show(_lines(comparison, width_of(console)), console)


def _lines(comparison: Comparison, width: int) -> Iterator[Text]:
    yield Text(printable(comparison.headline), HEAD)
    yield Text()
    head, rows = overview(comparison)
    looks = [VERDICTS.get(run.report.verdict, "") for run in comparison.runs]
    told = [
        (str(place), *((cell, look) if word == "verdict" else cell for word, cell in zip(head, row, strict=True)))
        for place, (row, look) in enumerate(zip(rows, looks, strict=True), start=1)
    ]
    yield from table([Column(), *(Column(word) for word in head)], told, width)
    names = [Column(str(place)) for place in range(1, len(rows) + 1)]  # a run's name is too long for a narrow column
    for title, content in (("settings that differ", comparison.differing), ("findings", comparison.findings)):
        if content:
            yield Text()
            yield from table([Column(title), *names], [(key, *values) for key, values in content.items()], width)
    yield Text()
    yield Text(hanging(f"note: {CAUTION}", width))
    yield Text(next_after(comparison), NEXT)


def next_after(comparison: Comparison) -> str:
    """Return what to do next: that of the sickest run."""
    return next_step(Triage(run.report for run in comparison.runs).reports[0])


def overview(comparison: Comparison) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return head and rows of the table with a row for each run; columns that no run fills are left out."""
    head = ("run", "verdict", "trained", "best val_loss", f"best val_{comparison.metric}", "test", "time", "")
    best = comparison.best
    rows = []
    for place, run in enumerate(comparison.runs):
        test = "" if run.test is None else f"{run.test:.4g}"
        length = "" if run.length is None else f"{run.length:g} {run.along}{'' if run.length == 1 else 's'}"
        seconds = "" if run.seconds is None else f"{run.seconds:.3g} s"
        reached = (_told(run.loss, run.along), _told(run.metric, run.along))
        rows.append((run.name, run.report.verdict, length, *reached, test, seconds, "best" if place == best else ""))
    used = [place for place in range(len(head)) if any(row[place] for row in rows)]
    return tuple(head[place] for place in used), [tuple(row[place] for place in used) for row in rows]


def _told(reached: Reached | None, along: str) -> str:
    return "" if reached is None else f"{reached.value:.4g} ({along} {reached.at:.4g})"


def _object(reached: Reached | None) -> object:
    return None if reached is None else {"value": reached.value, "at": reached.at}


def _compared(report: Report, name: str, metric: str) -> Compared:
    run = report.run
    losses = [one for one in loss_series(run) if one.label == "val_loss"]
    scores = [one for one in metric_series(run) if one.label == f"val_{metric}"]
    less = bool(metric) and lower_is_better(metric, run)
    lengths = [float(np.nanmax(one.x)) for one in loss_series(run) if np.isfinite(one.x).any()]
    return Compared(
        name=name,
        report=report,
        along=x_label(run),
        length=max(lengths, default=None),
        loss=_reached(losses, less=True),
        metric=_reached(scores, less=less),
        test=_finite(run.facts.get(f"test_{metric}")),
        seconds=_seconds(run),
        settings=_settings(run),
    )


def _reached(series: Sequence[Series], *, less: bool) -> Reached | None:
    if not series:
        return None
    one = series[0]
    there = np.flatnonzero(np.isfinite(one.y) & np.isfinite(one.x))
    if not len(there):
        return None
    place = there[(one.y[there] if less else -one.y[there]).argmin()]
    return Reached(float(one.y[place]), float(one.x[place]))


def _seconds(run: Run) -> float | None:
    wall = run.scalars["wall_s"].to_numpy(np.float64)
    wall = wall[np.isfinite(wall)]
    return float(wall.max() - min(0.0, wall.min())) if len(wall) and len(signal_curve(run, "train_loss")) else None


def _settings(run: Run) -> dict[str, str]:
    found = flat(run.meta.get("recipe"))
    return {key: str(value) for key, value in found if value is not None and key.partition(".")[0] not in NO_SETTINGS}


def _finite(value: object) -> float | None:
    return value if isinstance(value, float) and math.isfinite(value) else None


def _severity(report: Report, name: str) -> str:
    fitting = [item for item in report.outcome.findings if f"{item.code} {item.name}" == name]
    return max(fitting, key=lambda item: item.severity).severity.label if fitting else ""


def _names(reports: Sequence[Report]) -> list[str]:
    """Return short names: the last parts of the paths, as many as tell all apart."""
    parts = [Path(report.source).parts or (report.source,) for report in reports]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-count:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{report.source} ({place})" for place, report in enumerate(reports, start=1)]
