"""Tables in which runs lie beside each other: as folds or trials in a column, or as columns of an exported chart."""

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from dlcheck.runs.columns import Column, Table
from dlcheck.runs.names import meaning, plain_name

_GROUPS = {"fold", "cv_fold", "fold_idx", "k_fold", "kfold", "trial", "trial_id", "run", "run_id", "run_idx", "member"}
_MOST_GROUPS = 1000
_CHART = re.compile(r"(?P<run>.+) - (?P<name>.+?)(?P<bound>__MIN|__MAX)?")


def parted_by_group(table: Table) -> Iterator[tuple[Table, dict[str, object]]]:
    """Yield a table for each fold, trial or run that a column numbers, with what to say of it; else the whole."""
    column = next((one for one in table.columns if plain_name(one.name) in _GROUPS and one.present.all()), None)
    groups = np.unique(column.values) if column is not None else np.array([])
    if column is None or not 1 < len(groups) <= min(_MOST_GROUPS, table.rows / 2):
        yield table, {}
        return
    for group in groups:
        rows = np.flatnonzero(column.values == group)
        columns = [replace(one, values=one.values[rows], present=one.present[rows]) for one in table.columns]
        kept = [one for one in columns if one.name != column.name]
        yield replace(table, columns=kept, rows=len(rows), events=(), breaks=()), {"group": f"{column.name} {group:g}"}


def is_chart(names: tuple[str, ...]) -> bool:
    """Return whether a header is one of a chart exported from Weights & Biases: a step, and columns of runs."""
    counters = [
        name for name in names if (said := meaning(name)) is not None and said.kind in ("step", "epoch", "time")
    ]
    runs = [name for name in names if _CHART.fullmatch(name)]
    return len(counters) == 1 and len(runs) == len(names) - 1 > 0


def parted_by_chart(table: Table) -> Iterator[tuple[Table, dict[str, object]]]:
    """Yield a table for each run of an exported chart; its bounds of smoothing are left out."""
    counters = [one for one in table.columns if not _CHART.fullmatch(one.name)]
    by_run: dict[str, list[Column]] = {}
    for column in table.columns:
        match = _CHART.fullmatch(column.name)
        if match and not match["bound"]:
            by_run.setdefault(match["run"], []).append(replace(column, name=match["name"]))
    for run, columns in by_run.items():
        yield replace(table, columns=[*counters, *columns], events=()), {"group": run}
