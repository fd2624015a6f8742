"""The best trials and the recipe, trained again over several seeds before one of them is called best."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import fmean

from dlcheck.errors import DlcheckError, one_line
from dlcheck.rules.search.gain import alive
from dlcheck.runs import write_atomic
from dlcheck.runs.facts import Confirmed
from dlcheck.runs.facts.search import INFEASIBLE, trial_title
from dlcheck.runs.strict_json import dumps, loads
from dlcheck.tuning.trials import StudyView, TrialRow

FILE = "confirm.json"
SCHEMA = "dlcheck.confirm/1"
Retrain = Callable[[dict[str, object], int], float]
"""Trains values by path on all data for all epochs, with a seed; returns the metric, NaN if the training died."""
Key = tuple[int, str, int]


def candidates(view: StudyView) -> list[TrialRow]:
    """Return the trials to train again: the recipe as it is, then the best ones, each with values of its own.

    Values that agree to three digits count as the same. A recipe that itself died as a trial is left out.
    """
    sign = 1 if view.minimize else -1
    usable = sorted((row for row in view.trials if row.usable), key=lambda row: (sign * (row.value or 0.0), row.number))
    chosen: list[TrialRow] = []
    for row in usable:
        if len(chosen) < view.confirm_top and not row.baseline and _values(row) not in [_values(one) for one in chosen]:
            chosen.append(row)
    own = [row for row in view.trials if row.baseline and row.counts and str(row.ending) not in INFEASIBLE]
    return [*own[:1], *chosen] if chosen else []


def seeds(view: StudyView) -> tuple[int, ...]:
    """Return the seeds of the repeated trainings, none of which the trials themselves had.

    The best of many trials owes part of its value to its seed: only others show what its values are worth.
    """
    used = {row.seed for row in view.trials}
    fresh = (seed for seed in range(1, view.confirm_seeds + len(used) + 2) if seed not in used)
    return tuple(next(fresh) for _ in range(view.confirm_seeds))


def confirm(
    folder: Path, view: StudyView, retrain: Retrain, tell: Callable[[str], None] = lambda line: None
) -> tuple[Confirmed, ...]:
    """Train every candidate with every seed, and return what they reached, in the order of the candidates.

    Each training is written to ``confirm.json`` as soon as it ends; those that stand there are not made again.

    Args:
        folder: The study's.
        view: The study.
        retrain: Makes one training.
        tell: Called with a line after each.

    Raises:
        DlcheckError: ``confirm.json`` is not what was written there, or cannot be written.
    """
    rows, chosen_seeds = candidates(view), seeds(view)
    known = _read(folder / FILE, view.metric)
    wanted = [(row, seed) for seed in chosen_seeds for row in rows]
    for place, (row, seed) in enumerate(wanted, start=1):
        key = (row.number, _values(row), seed)
        if key in known:
            continue
        known[key] = retrain(dict(row.params), seed)
        _write(folder / FILE, view.metric, known)
        name = trial_title(row.number, baseline=row.baseline)
        tell(f"confirming {place} of {len(wanted)}: {name}, seed {seed}: {view.metric} {known[key]:.4g}")
    return tuple(_confirmed(row, chosen_seeds, known) for row in rows)


def best_of(groups: Iterable[Confirmed], *, minimize: bool) -> int | None:
    """Return the trial with the best mean over seeds among those of which no training died; the recipe wins a tie."""
    sign = 1.0 if minimize else -1.0
    whole = [group for group in groups if alive(group)]
    best = min(whole, key=lambda group: (sign * fmean(group.values), not group.baseline), default=None)
    return best.trial if best is not None else None


def _confirmed(row: TrialRow, used: tuple[int, ...], known: Mapping[Key, float]) -> Confirmed:
    values = tuple(known[row.number, _values(row), seed] for seed in used)
    return Confirmed(row.number, values, used, baseline=row.baseline)


def _values(row: TrialRow) -> str:
    """Return the values of a trial as text by which two trials are compared."""
    return json.dumps({path: _short(value) for path, value in sorted(row.params.items())})


def _short(value: object) -> object:
    return float(f"{value:.3g}") if isinstance(value, float) and math.isfinite(value) else value


def _write(path: Path, metric: str, known: Mapping[Key, float]) -> None:
    trainings = [
        {"trial": trial, "seed": seed, "value": value, "params": json.loads(params)}
        for (trial, params, seed), value in known.items()
    ]
    write_atomic(path, dumps({"schema": SCHEMA, "metric": metric, "trainings": trainings}, indent=1) + "\n")


def _read(path: Path, metric: str) -> dict[Key, float]:
    if not path.exists():
        return {}
    try:
        content = loads(path.read_text(encoding="utf-8"))
        assert isinstance(content, dict)
        if content["schema"] != SCHEMA or content["metric"] != metric:
            raise KeyError("schema")
        return {
            (int(item["trial"]), json.dumps(item["params"]), int(item["seed"])): float(item["value"])
            for item in content["trainings"]
        }
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise DlcheckError(
            f"{path}: not the repeated trainings of this study ({one_line(error)}); move it away to train them anew"
        ) from None
