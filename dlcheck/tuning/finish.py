"""The end of a search: its best trials trained again, the best recipe, the table, what the rules say, the report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from dlcheck.errors import printable
from dlcheck.report.plain import counts_line
from dlcheck.rules.search.gain import Gain, alive, confirmed_gain
from dlcheck.runs import Run
from dlcheck.runs.environment import environment
from dlcheck.runs.facts import Confirmed, SearchStudy
from dlcheck.runs.facts.search import trial_title
from dlcheck.tuning.best import best_text, recipe_of
from dlcheck.tuning.confirm import Retrain, best_of, confirm
from dlcheck.tuning.facts import own_values, study_fact
from dlcheck.tuning.importance import importances
from dlcheck.tuning.ours import write_ours
from dlcheck.tuning.status import counts_line as trials_line
from dlcheck.tuning.status import front, told
from dlcheck.tuning.table import trials_csv
from dlcheck.tuning.trials import StudyView, TrialRow

if TYPE_CHECKING:
    from dlcheck.report.report import Report

FORMAT = "dlcheck-study"
PACKAGES = ("dlcheck", "torch", "optuna")
"""Whose versions stand in the best recipe."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a search came to."""

    text: str
    """To be printed."""
    report: Report
    files: tuple[Path, ...]


def finish(
    folder: Path,
    view: StudyView,
    *,
    retrain: Retrain,
    source: str | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> Finished:
    """Train the best trials again, choose one, and write its recipe, the table, the findings and the report.

    Interrupted while it trains, it goes on there when it is called again.

    Args:
        folder: The study's; ``recipe.toml`` in it is the recipe that was searched.
        view: The study.
        retrain: Trains values by path on all data with a seed, and returns the metric.
        source: The text of the user's own recipe, whose comments ``best.toml`` is to keep.
        tell: Called with a line after each training.

    Raises:
        DlcheckError: a file cannot be read or written.
        KeyboardInterrupt: interrupted; what was trained is kept.
    """
    groups = confirm(folder, view, retrain, tell) if view.confirm_top else ()
    chosen = best_of(groups, minimize=view.minimize) if groups else _best_once(view)
    own = own_values(view)
    found, note = importances(view, seed=view.seed)
    study = replace(study_fact(view, own), confirmed=groups, chosen=chosen, importances=found, importance_note=note)
    report = judge(folder, view, study)
    files = _write(folder, view, study, report, own, source)
    return Finished("\n".join(map(printable, _lines(view, study, report, files))) + "\n", report, files)


def judge(folder: Path, view: StudyView, study: SearchStudy) -> Report:
    """Return what the rules on searches say of a study."""
    import tomllib

    from dlcheck.diagnosis.examine import examine
    from dlcheck.diagnosis.settings import Settings

    meta: dict[str, object] = {"format": FORMAT, "recipe": tomllib.loads(view.recipe), "environment": environment()}
    return examine(Run(facts=study.as_dict(), meta=meta), str(folder), Settings(select=("S6",)))


def _best_once(view: StudyView) -> int | None:
    sign = 1 if view.minimize else -1
    usable = [row for row in view.trials if row.usable]
    best = min(usable, key=lambda row: (sign * (row.value or 0.0), row.number), default=None)
    return best.number if best is not None else None


def _write(
    folder: Path, view: StudyView, study: SearchStudy, report: Report, own: dict[str, object], source: str | None
) -> tuple[Path, ...]:
    from dlcheck.report.html.study import study_html
    from dlcheck.report.json import to_json

    files = [write_ours(folder, "trials.csv", trials_csv(view, own))]
    files.append(write_ours(folder, "findings.json", to_json([report])))
    files.append(write_ours(folder, "report.html", study_html(report, study)))
    chosen = next((row for row in view.trials if row.number == study.chosen), None)
    if chosen is not None:
        text = (folder / "recipe.toml").read_text(encoding="utf-8")
        recipe = recipe_of(text, {} if chosen.baseline else chosen.params)
        files.insert(
            0, write_ours(folder, "best.toml", best_text(recipe, source or text, _provenance(view, study, chosen)))
        )
    return tuple(files)


def _provenance(view: StudyView, study: SearchStudy, chosen: TrialRow) -> list[str]:
    what = "the recipe as it was, which no trial bettered" if chosen.baseline else f"trial {chosen.number}"
    lines = [f"{what} of {len(study.trials)} in the study {view.name}"]
    group = next((one for one in study.confirmed if one.trial == chosen.number), None)
    if group is None:
        lines.append(f"{view.metric} {chosen.value:.4g} in one training, not repeated with other seeds")
    else:
        numbers = ", ".join(map(str, group.seeds))
        lines.append(f"{view.metric} {_mean(group)} over the seeds {numbers}")
    gain = confirmed_gain(study)
    if gain is not None and not chosen.baseline:
        lines.append(f"better than the recipe by {_gain(gain)}")
    packages = environment()["packages"]
    assert isinstance(packages, dict)
    return [*lines, ", ".join(f"{name} {packages[name]}" for name in PACKAGES if name in packages)]


def _mean(group: Confirmed) -> str:
    if not alive(group):
        return "died in one of the trainings"
    if len(group.values) < 2:
        return f"{fmean(group.values):.4g}"
    return f"{fmean(group.values):.4g} ± {stdev(group.values):.2g}"


def _gain(gain: Gain) -> str:
    return f"{gain.value:.3g} (95 % interval {gain.low:.2g} to {gain.high:.2g})"


def _lines(view: StudyView, study: SearchStudy, report: Report, files: Sequence[Path]) -> Iterator[str]:
    yield trials_line(view)
    if len(view.metrics) > 1:
        yield from _front(view)
    yield from _confirmed(view, study)
    chosen = next((row for row in view.trials if row.number == study.chosen), None)
    if chosen is None:
        yield "no trial finished: there is nothing to choose from"
    elif not chosen.baseline:
        yield from (f"  {path} = {told(value)}" for path, value in chosen.params.items())
    yield from _importances(study)
    for finding in report.outcome.findings:
        yield f"{finding.code} {finding.name}  {finding.severity.label}, {finding.confidence:.0%} sure"
        yield f"   {finding.summary}"
        if finding.remedies:
            yield f"   do: {finding.remedies[0].text}"
    yield counts_line(report.outcome)
    for item in report.outcome.not_checked:
        yield f"   not checked, {item.why}: {item.code}"
    yield f"wrote {', '.join(path.name for path in files)} in {_from_here(files[0].parent)}"
    if chosen is not None:
        yield f"next: dlcheck train {shlex.quote(str(_from_here(files[0])))}"


def _from_here(path: Path) -> Path:
    """Return a path as it is shortest to type."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _front(view: StudyView) -> Iterator[str]:
    yield f"no trial is better than one of these in all of {', '.join(view.metrics)}:"
    for row in front(view):
        name = trial_title(row.number, baseline=row.baseline)
        yield f"  {name:<14} {', '.join(f'{value:.4g}' for value in row.values)}"
    yield f"what follows, and best.toml, go by {view.metric} alone"


def _confirmed(view: StudyView, study: SearchStudy) -> Iterator[str]:
    if not study.confirmed:
        yield from _unbettered(view, study)
        return
    count = len(study.confirmed[0].values)
    yield f"trained again on all data, {count} seeds each ({view.metric}, mean ± standard deviation):"
    for group in study.confirmed:
        name = trial_title(group.trial, baseline=group.baseline)
        yield f"  {name:<14} {_mean(group)}{'   best' if group.trial == study.chosen else ''}"
    gain = confirmed_gain(study)
    if gain is not None:
        yield f"gain over your recipe: {_gain(gain)}"
    elif not any(group.baseline for group in study.confirmed):
        yield "your recipe itself ended early, so there is nothing to compare with"


def _unbettered(view: StudyView, study: SearchStudy) -> Iterator[str]:
    """Say that the recipe is the best there is, and what came nearest, where no other trial went to its end."""
    own = next((row for row in view.trials if row.number == study.chosen and row.baseline), None)
    if own is None or own.value is None:
        return
    sign = 1 if view.minimize else -1
    others = [row for row in view.trials if not row.baseline and row.ending == "pruned" and row.best is not None]
    near = min(others, key=lambda row: sign * (row.best or 0.0), default=None)
    yield f"no trial bettered your recipe, which reaches {view.metric} {own.value:.4g}"
    if near is not None:
        yield f"  nearest: trial {near.number} with {near.best:.4g}, ended after {near.epochs} epochs"


def _importances(study: SearchStudy) -> Iterator[str]:
    if not study.importances:
        if study.importance_note:
            yield f"no importances: {study.importance_note}"
        return
    yield f"importance of each key, {study.importance_note}:"
    for item in study.importances:
        yield f"  {item.name:<28} {item.value:.2f}  ({item.low:.2f} to {item.high:.2f})"
