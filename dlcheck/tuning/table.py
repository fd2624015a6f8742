"""``trials.csv``: a row a trial, which ``pandas.read_csv`` reads as it is."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping

from dlcheck.runs.spreadsheet import safe
from dlcheck.tuning.trials import StudyView, TrialRow

FIRST = ("number", "state", "ending", "value", "best", "told")
OWN = {"seconds", "epoch", "step", "lr", "wall_s"}
"""Numbers of a trial that stand in columns of their own, or say nothing when a training has ended."""
LAST = ("epochs", "seconds", "seed", "worker", "started", "baseline", "requeued", "reason")


def trials_csv(view: StudyView, own: Mapping[str, object]) -> str:
    """Return all trials in the order of their numbers.

    Columns: number, state, ending, value, best, told, the other objectives, every searched key in the order of the
    space, every other result that was measured and every limit's excess by name, then epochs, seconds, seed, worker,
    started, baseline, requeued, reason. What is not known is empty; numbers have all their digits; text that a
    spreadsheet would take for a formula gets an apostrophe in front.

    Args:
        view: The study.
        own: The recipe's own values by path, for the trial that changed none.
    """
    paths = list(dict.fromkeys(entry.path for entry in view.space.values()))
    rows = sorted(view.trials, key=lambda row: row.number)
    measured = sorted({name for row in rows for name in row.metrics} - OWN)
    limits = sorted({name for row in rows for name in row.constraints})
    others = view.metrics[1:]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        [
            *FIRST,
            *(f"objective_{name}" for name in others),
            *map(safe, paths),
            *map(safe, measured),
            *(f"over_{name}" for name in limits),
            *LAST,
        ]
    )
    for row in rows:
        params = own if row.baseline else row.params
        cells = [getattr(row, name) for name in FIRST]
        cells += [row.values[place] if len(row.values) > place else None for place in range(1, len(others) + 1)]
        cells += [params.get(path) for path in paths]
        cells += [row.metrics.get(name) for name in measured]
        cells += [row.constraints.get(name) for name in limits]
        cells += [_last(row, name) for name in LAST]
        writer.writerow([_cell(cell) for cell in cells])
    return file.getvalue()


def _last(row: TrialRow, name: str) -> object:
    return (row.diagnosis or row.reason) if name == "reason" else getattr(row, name)


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return repr(value)
    return safe(" ".join(value.split())) if isinstance(value, str) else str(value)
