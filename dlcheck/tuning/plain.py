"""A study in a few plain lines, and as JSON. Imports neither torch nor Optuna."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dlcheck.runs.strict_json import dumps
from dlcheck.tuning.trials import StudyView, TrialRow

SCHEMA = "dlcheck.study/1"


def best_row(view: StudyView) -> TrialRow | None:
    """Return the best trial that finished within all limits; by the first metric, where there are several."""
    usable = [row for row in view.trials if row.usable]
    sign = 1 if view.minimize else -1
    return min(usable, key=lambda row: (sign * (row.value or 0.0), row.number), default=None)


def summary(view: StudyView) -> list[str]:
    """Return how far a study is and what it found."""
    done = [row for row in view.trials if row.counts and row.ending is not None]
    running = sum(row.state == "RUNNING" for row in view.trials)
    endings = Counter(str(row.ending) for row in done)
    total = f" of {view.total}" if view.total is not None else ""
    counts = ", ".join(f"{name} {count}" for name, count in sorted(endings.items(), key=lambda pair: -pair[1]))
    lines = [f"{view.name}: {len(done)}{total} trials done, {running} running{f' ({counts})' if counts else ''}"]
    if (best := best_row(view)) is not None:
        lines.append(f"best: trial {best.number}, {view.metric} {best.value:.4g}{_against(view, best)}")
        lines += [f"  {path} = {_value(value)}" for path, value in best.params.items()]
    return lines


def changes(old: StudyView | None, new: StudyView) -> list[str]:
    """Return a line for each trial that ended since a study was looked at before."""
    before = {row.number for row in old.trials if row.ending is not None} if old is not None else set()
    best = best_row(new)
    return [
        _ended(row, new.metric, best is not None and best.number == row.number)
        for row in new.trials
        if row.ending is not None and row.number not in before
    ]


def as_json(view: StudyView, stopped: str | None) -> str:
    """Return a study as JSON text; ``stopped`` says why it ended, None when it was interrupted."""
    best = best_row(view)
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "name": view.name,
        "metrics": list(view.metrics),
        "directions": ["min" if small else "max" for small in view.directions],
        "sampler": view.sampler,
        "pruner": view.pruner,
        "why": view.why,
        "stopped": stopped,
        "best": _row(best) if best is not None else None,
        "trials": [_row(row) for row in view.trials],
    }
    return dumps(content, indent=2) + "\n"


def _row(row: TrialRow) -> dict[str, object]:
    return {
        "number": row.number,
        "state": row.state,
        "ending": str(row.ending) if row.ending is not None else None,
        "reason": row.diagnosis or row.reason,
        "value": row.value,
        "params": row.params,
        "metrics": row.metrics,
        "epochs": row.epochs,
        "seconds": row.seconds,
        "baseline": row.baseline,
    }


def _against(view: StudyView, best: TrialRow) -> str:
    own = next((row for row in view.trials if row.baseline and row.usable), None)
    if own is None or own.value is None or own.number == best.number:
        return " (your recipe as it is)" if own is not None else ""
    return f" (your recipe: {own.value:.4g})"


def _ended(row: TrialRow, metric: str, best: bool) -> str:
    value = f"{metric} {row.value:.4g}" if row.value is not None else f"no {metric}"
    why = f": {row.reason}" if row.reason else ""
    return f"trial {row.number}  {row.ending}  {value}  {row.epochs} epochs{'  best so far' if best else ''}{why}"


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
