"""A table of rows in the order of a log, parted into the runs that it holds."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dlcheck.errors import DlcheckError, nearest
from dlcheck.runs.assemble import Series, assemble, has_curve
from dlcheck.runs.columns import Column, Table
from dlcheck.runs.counters import Counter, Counters, find_counters
from dlcheck.runs.run import Event, Numbers, Run
from dlcheck.runs.segments import Rows, Segment, find_segments


def table_runs(table: Table, names: Mapping[str, str], *, least: int = 1) -> list[Run]:
    """Return the runs of a table in its order; those without any curve are left out.

    Args:
        table: What was read.
        names: Signal name to raw name, from the user; ``step`` and ``epoch`` may be among them.
        least: Points that the longest loss or score of the log has to have.

    Raises:
        DlcheckError: no series is a loss or score of so many points, or a name of the user's is not there.
    """
    _check_names(table, names)
    count = find_counters(table, names)
    curves = [one for one in table.columns if one.is_curve or one.name in names.values()]

    def same(one: int, other: int) -> bool:
        return any(bool(curve.present[one] and curve.present[other]) for curve in curves)

    found = find_segments(count, table.rows, same, table.breaks)
    runs = [_run(table, part, count, names) for part in found]
    kept = [run for run in runs if has_curve(run)]
    if not kept or (least > 1 and not any(has_curve(run, least) for run in kept)):
        raise DlcheckError(_why_none(table))
    return _numbered(kept)


def _run(table: Table, part: Segment, count: Counters, names: Mapping[str, str]) -> Run:
    whole = len(part.rows) == table.rows
    rows = None if whole else part.rows
    steps, epochs, wall_s = (_taken(one, rows) for one in (_values(count.step), _values(count.epoch), count.wall_s))
    inferred = [*table.inferred, *count.inferred]
    if steps is None and epochs is None:
        epochs = np.arange(len(part.rows), dtype=np.float64)
        inferred.append("no column counts steps or epochs: rows are numbered from 0 as epochs")
    series = [
        _series(column, rows, steps, epochs, wall_s)
        for column in table.columns
        if column.name not in count.used or column.name in names.values()
    ]
    run = assemble(
        [one for one in series if len(one.values)],
        {signal: raw for signal, raw in names.items() if _holds(series, raw)},
        events=_events(table, part, rows),
        inferred=inferred,
        meta=table.meta,
        facts=table.facts,
    )
    unmapped = [*_list(run.meta["unmapped"]), *table.texts]
    return replace(run, meta={**run.meta, "unmapped": unmapped})


def _series(
    column: Column, rows: Rows | None, steps: Numbers | None, epochs: Numbers | None, wall_s: Numbers | None
) -> Series:
    present = column.present if rows is None else column.present[rows]
    values = column.values if rows is None else column.values[rows]
    if not present.all():
        values = values[present]
        steps, epochs, wall_s = (None if one is None else one[present] for one in (steps, epochs, wall_s))
    if steps is not None and epochs is not None and (steps[1:] < steps[:-1]).any():
        steps = None  # a counter of its own, which starts again: epochs say more
    return Series(column.name, values, steps, epochs, wall_s, column.split)


def _events(table: Table, part: Segment, rows: Rows | None) -> tuple[Event, ...]:
    first, last = (0, table.rows) if rows is None else (int(part.rows[0]), int(part.rows[-1]))
    inside = [one for one in table.events if rows is None or first <= _row(one, last) <= last]
    return (*inside, *part.events)


def _row(event: Event, default: int) -> int:
    row = event.detail.get("row", default)
    return row if isinstance(row, int) else default


def _numbered(runs: list[Run]) -> list[Run]:
    """Say of each run of a log that holds several which of them it is."""
    if len(runs) == 1:
        return runs
    told: list[Run] = []
    for number, run in enumerate(runs, start=1):
        again = (Event("restart", detail={"run": number, "runs": len(runs)}),) if number > 1 else ()
        meta = {**run.meta, "run_in_file": number, "runs_in_file": len(runs)}
        told.append(replace(run, events=(*again, *run.events), meta=meta))
    return told


def _check_names(table: Table, names: Mapping[str, str]) -> None:
    known = {column.name for column in table.columns}
    for signal, raw in names.items():
        if raw not in known:
            raise DlcheckError(f"--map {signal}={raw}: the log has no series of that name; {nearest(raw, known)}")


def _why_none(table: Table) -> str:
    held = ", ".join([*(column.name for column in table.columns), *table.texts][:5]) or "nothing"
    return f"no training log: no loss or score with points over time ({table.rows} rows of {held[:120]})"


def _holds(series: list[Series], raw: str) -> bool:
    return any(one.name == raw and len(one.values) for one in series)


def _values(counter: Counter | None) -> Numbers | None:
    return None if counter is None else counter.values


def _taken(values: Numbers | None, rows: Rows | None) -> Numbers | None:
    return values if values is None or rows is None else values[rows]


def _list(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
