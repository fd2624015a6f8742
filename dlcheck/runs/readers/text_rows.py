"""The rows that the lines of a text log make, and the table of those that speak of one training."""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dlcheck.runs.columns import Column, Table
from dlcheck.runs.names import meaning
from dlcheck.runs.readers.text_lines import LONGEST_LINE
from dlcheck.runs.readers.text_plan import NUMBER, Plan, plan_of
from dlcheck.runs.readers.text_thin import thinned
from dlcheck.runs.run import Event, Numbers

Mask = NDArray[np.bool_]

_MOST_PLANS = 20_000
_MOSTLY = 0.8
_FAR_MORE = 10
_COUNTERS = 3
_CURRENT, _OLD_STATE, _OLD_EVALUATION = 0, 1, 2


@dataclass(slots=True)
class TextRows:
    """Rows in the order of a log. Feed lines to ``add``; ``table`` is what they amount to."""

    plan_ids: "array[int]" = field(default_factory=lambda: array("H"))
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    """For each row its values, then epoch, step and progress, NaN where not known."""
    states: "array[int]" = field(default_factory=lambda: array("b"))
    plans: list[Plan] = field(default_factory=list)
    torn: bool = False
    _known: dict[tuple[str, ...], tuple[int, Plan] | None] = field(default_factory=dict)
    _epoch: float = math.nan
    _step: float = math.nan
    _last: tuple[tuple[str, ...], list[float], tuple[str, ...]] | None = None
    _pending: tuple[tuple[str, ...], float, float] | None = None

    def __len__(self) -> int:
        return len(self.plan_ids)

    def add(self, lines: Iterable[str]) -> None:
        """Take the rows from more lines."""
        split, known = NUMBER.split, self._known
        for line in lines:
            parts = split(line)
            if len(parts) < 3 or len(line) > LONGEST_LINE:
                continue
            key = tuple(parts[::2])
            found = known[key] if key in known else self._learn(key)
            if found is not None:
                self._take(found[0], found[1], key, parts[1::2])

    def add_last(self, line: str) -> None:
        """Take a line that has no end: one that a crash may have cut is left out, and ``torn`` says so."""
        parts = NUMBER.split(line)
        known = self._known.get(tuple(parts[::2]))
        if known is not None and not parts[-1].strip():
            self.torn = True  # it ends with digits, of which some may be missing
        elif known is not None:
            self.add([line])
        elif line.strip() and len(self):
            self.torn = len(parts) > 1

    def table(self) -> Table:
        """Return the rows as a table; its counters are ``epoch`` and ``step``."""
        ids, flat = np.array(self.plan_ids, dtype=np.intp), np.array(self.numbers)
        widths = np.array([len(plan.values) + _COUNTERS for plan in self.plans], dtype=np.intp)
        ends = np.cumsum(widths[ids]) if len(ids) else np.empty(0, dtype=np.intp)
        epochs, steps, progress = (flat[ends - back] for back in (3, 2, 1))
        states = np.array(self.states)
        collapse = self._has_bars(ids, states)
        if not collapse:
            steps = np.where(np.isfinite(progress), progress, steps)
        keep = (states == _CURRENT) | ((states == _OLD_STATE) & (not collapse))
        counted = np.isfinite(epochs) | np.isfinite(steps)
        if counted[keep].mean() >= _MOSTLY if keep.any() else False:
            keep &= counted
        curves, inferred = _without_summaries(self._columns(ids, flat, ends))
        columns = [_column("epoch", epochs), _column("step", steps), *curves]
        keep &= np.any([column.present for column in curves], axis=0) if curves else False
        kept = thinned(columns, np.flatnonzero(keep))
        used = [one for one in (_rows_of(column, kept) for column in columns) if one.present.any()]
        events = [Event("truncated", detail={"line": "last"})] if self.torn else []
        return Table(used, len(kept), events=events, inferred=inferred)

    def _has_bars(self, ids: NDArray[np.intp], states: NDArray[np.int8]) -> bool:
        """Return whether there are several progress bars, as one an epoch, so that each is one point."""
        is_bar = np.array([plan.progress is not None and not plan.is_evaluation for plan in self.plans], dtype=bool)
        return len(ids) > 0 and int((is_bar[ids] & (states == _CURRENT)).sum()) > 1

    def _columns(self, ids: NDArray[np.intp], flat: Numbers, ends: NDArray[np.intp]) -> list[Column]:
        columns: dict[str, tuple[Numbers, Mask]] = {}
        for number, plan in enumerate(self.plans):
            rows = np.flatnonzero(ids == number)
            first = ends[rows] - _COUNTERS - len(plan.values)
            for place, (_, name) in enumerate(plan.values):
                if name not in columns:
                    columns[name] = np.full(len(ids), np.nan), np.zeros(len(ids), dtype=bool)
                values, present = columns[name]
                values[rows], present[rows] = flat[first + place], True
        return [Column(name, *pair) for name, pair in columns.items()]

    def _learn(self, key: tuple[str, ...]) -> tuple[int, Plan] | None:
        plan = plan_of(key)
        if len(self._known) >= _MOST_PLANS:
            self._known.clear()
        found = None
        if plan is not None:
            if plan not in self.plans:
                self.plans.append(plan)
            found = self.plans.index(plan), plan
        self._known[key] = found
        return found

    def _take(self, number: int, plan: Plan, key: tuple[str, ...], texts: Sequence[str]) -> None:
        epoch, step = _at(texts, plan.epoch), _at(texts, plan.step)
        self._epoch = self._epoch if plan.epoch is None else epoch
        if not plan.values or plan.step is not None:
            self._step = step if not plan.values else math.nan
        if not plan.values:
            return
        values = [_number(texts[place]) for place, _ in plan.values]
        progress = _at(texts, plan.progress)
        row = [*values, self._epoch, self._step if plan.step is None else step, progress]
        if self._is_repeated(plan, key, row):
            return
        self._supersede(plan, progress)
        self.plan_ids.append(number)
        self.numbers.extend(row)
        self.states.append(_CURRENT)

    def _is_repeated(self, plan: Plan, key: tuple[str, ...], row: list[float]) -> bool:
        """Return whether a row says again what the one before it said, as where two loggers print each line."""
        last, self._last = self._last, (plan.family, row, key)
        if last is None or last[0] != plan.family or (last[2] == key and plan.step is None):
            return False
        return repr(last[1]) == repr(row)  # NaN is equal to itself in words

    def _supersede(self, plan: Plan, progress: float) -> None:
        pending = self._pending
        self._pending = None if plan.progress is None else (plan.family, self._epoch, progress)
        if pending is None or plan.progress is None or pending[0] != plan.family or progress < pending[2]:
            return
        if pending[1] == self._epoch or math.isnan(self._epoch):
            self.states[-1] = _OLD_EVALUATION if plan.is_evaluation else _OLD_STATE


def _at(texts: Sequence[str], place: int | None) -> float:
    return math.nan if place is None else _number(texts[place])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float(text.replace(",", ""))


def _column(name: str, values: Numbers) -> Column:
    return Column(name, values, np.isfinite(values))


def _without_summaries(columns: list[Column]) -> tuple[list[Column], list[str]]:
    """Leave out series beside which another of the same meaning has far more points, as an average over the run."""
    points: dict[tuple[str, str], int] = {}
    for column in columns:
        points[_sense(column)] = max(points.get(_sense(column), 0), int(column.present.sum()))
    short = {one.name for one in columns if one.present.sum() * _FAR_MORE <= points[_sense(one)]}
    inferred = [f"{name!r} is a summary of a longer series: it is left out" for name in sorted(short)]
    return [one for one in columns if one.name not in short], inferred


def _sense(column: Column) -> tuple[str, str]:
    said = meaning(column.name)
    return (said.split, said.metric) if said else ("", column.name)


def _rows_of(column: Column, rows: NDArray[np.intp]) -> Column:
    return Column(column.name, column.values[rows], column.present[rows], column.split)
