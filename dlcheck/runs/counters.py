"""Which columns of a table say where in the training a row stands: epoch, step, time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlcheck.runs.columns import Column, Mask, Table, filled_forward
from dlcheck.runs.names import STEPS, meaning, plain_name
from dlcheck.runs.run import Numbers

_TIMES = ("runtime", "wall_s", "elapsed_time", "wall_time", "walltime", "time", "timestamp", "wall", "elapsed")
_ON_MOST_ROWS = 0.9
_UNIX_S = 1e8  # seconds since 1970 are larger than this, seconds of a training are not
_MS = 1e11


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter, as logged; NaN is logged for rows that do not tell."""

    name: str
    values: Numbers
    """Shape (rows,), filled forward."""
    present: Mask
    """Shape (rows,): rows that tell it themselves."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Epoch, step and time of each row, as far as the table tells them."""

    epoch: Counter | None
    step: Counter | None
    wall_s: Numbers | None
    used: frozenset[str]
    """Columns that are counters or times."""
    inferred: tuple[str, ...] = ()


def find_counters(table: Table, names: Mapping[str, str]) -> Counters:
    """Return the counters of a table: those that the user names, else the most plausible by name and course."""
    of_kind = {kind: [one for one in table.columns if _kind(one) == kind] for kind in ("epoch", "step", "time")}
    by_name = {one.name: one for one in table.columns}
    epoch = by_name.get(names.get("epoch", "")) or _most_present(of_kind["epoch"])
    step = by_name.get(names.get("step", "")) or _best_step(of_kind["step"])
    used = {one.name for ones in of_kind.values() for one in ones} | {one.name for one in (epoch, step) if one}
    epochs, steps = _counter(epoch), _counter(step)
    inferred: tuple[str, ...] = ()
    if epochs and steps and _restarts_each_epoch(epochs, steps):
        steps = _counted_through(epochs, steps)
        inferred = (f"{steps.name!r} starts again in each epoch: steps are counted through",)
    return Counters(epochs, steps, _wall_s(of_kind["time"]), frozenset(used), inferred)


def _kind(column: Column) -> str:
    said = meaning(column.name)
    return said.kind if said else "other"


def _most_present(columns: Sequence[Column]) -> Column | None:
    return max(columns, key=lambda one: int(one.present.sum()), default=None)


def _best_step(columns: Sequence[Column]) -> Column | None:
    """Return the counter on most rows that falls least often, in the order of ``STEPS`` where these are equal."""
    most = max((int(one.present.sum()) for one in columns), default=0)
    full = [one for one in columns if one.present.sum() >= _ON_MOST_ROWS * most]
    return min(full, key=lambda one: (_falls(one), _rank(one.name)), default=None)


def _falls(column: Column) -> int:
    values = column.values if column.present.all() else column.values[column.present]
    return int(np.count_nonzero(values[1:] < values[:-1]))


def _rank(name: str) -> int:
    plain = plain_name(name)
    return STEPS.index(plain) if plain in STEPS else len(STEPS)


def _counter(column: Column | None) -> Counter | None:
    if column is None:
        return None
    present = column.present & np.isfinite(column.values)
    if not present.any():
        return None
    return Counter(column.name, filled_forward(column.values, present), present)


def _restarts_each_epoch(epochs: Counter, steps: Counter) -> bool:
    rows = np.flatnonzero(steps.present)
    falls = np.diff(steps.values[rows]) < 0
    rises = np.diff(epochs.values[rows]) > 0
    return bool(rises.any()) and bool((falls & rises).sum() > 0.5 * max(falls.sum(), rises.sum()))


def _counted_through(epochs: Counter, steps: Counter) -> Counter:
    longest = float(np.max(steps.values[steps.present]))
    first = float(np.fmin.reduce(epochs.values))
    return Counter(steps.name, (epochs.values - first) * longest + steps.values, steps.present)


def _wall_s(columns: Sequence[Column]) -> Numbers | None:
    """Return seconds since the first row, of a time column that never falls; None without one."""
    ordered = sorted(columns, key=lambda one: _time_rank(one.name))
    usable = (one for one in ordered if _time_rank(one.name) < len(_TIMES) and one.present.any())
    for column in usable:
        values = filled_forward(column.values, column.present)
        finite = values[np.isfinite(values)]
        if len(finite) and not (finite[1:] < finite[:-1]).any():
            scale = 1000.0 if finite[0] > _MS else 1.0
            return (values - (finite[0] if finite[0] > _UNIX_S else 0.0)) / scale
    return None


def _time_rank(name: str) -> int:
    plain = plain_name(name)
    return _TIMES.index(plain) if plain in _TIMES else len(_TIMES)
