"""The rows that the lines of a text log make, and the table of those that speak of one training."""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dlcheck.runs.columns import Column, Table
from dlcheck.runs.names import meaning
from dlcheck.runs.readers.text_block import Texts, leading, rows_of, without_repeats
from dlcheck.runs.readers.text_lines import LONGEST_LINE
from dlcheck.runs.readers.text_plan import NUMBER, Plan, plan_of
from dlcheck.runs.readers.text_shape import Shape, shape_of
from dlcheck.runs.readers.text_thin import thinned
from dlcheck.runs.run import Event, Numbers

Mask = NDArray[np.bool_]

_MOST_SHAPES = 20_000
_MOST_RECENT = 4
_MOSTLY = 0.8
_LEAST_COUNTS = 3
_FAR_MORE = 10
_COUNTERS = 3
_STREAK = 8
"""Lines of one shape in a row from which the next are expected to be of it too."""
_LEAST_BLOCK, _MOST_BLOCK = 64, 4096
_CURRENT, _OLD_STATE, _OLD_EVALUATION = 0, 1, 2


@dataclass(slots=True)
class TextRows:
    """Rows in the order of a log. Feed lines to ``add``; ``table`` is what they amount to."""

    plan_ids: "array[int]" = field(default_factory=lambda: array("H"))
    numbers: "array[float]" = field(default_factory=lambda: array("d"))
    """For each row the numbers at its plan's places, then epoch, step and progress, NaN where not known."""
    states: "array[int]" = field(default_factory=lambda: array("b"))
    plans: list[Plan] = field(default_factory=list)
    torn: bool = False
    _known: dict[tuple[str, ...], Shape | None] = field(default_factory=dict)
    _recent: list[Shape] = field(default_factory=list)
    _epoch: float = math.nan
    _step: float = math.nan
    _last_shape: Shape | None = None
    _last_texts: Texts = ()
    _pending: tuple[tuple[str, ...], float, float] | None = None
    _streak: int = 0
    _streak_shape: Shape | None = None

    def __len__(self) -> int:
        return len(self.plan_ids)

    def add(self, lines: Iterable[str]) -> None:
        """Take the rows from more lines."""
        waiting = list(lines)
        at = 0
        while at < len(waiting):
            self._add_line(waiting[at])
            at += 1
            if self._streak >= _STREAK:
                at = self._add_block(waiting, at)

    def _add_line(self, line: str) -> None:
        for shape in self._recent:
            match = shape.pattern.fullmatch(line)
            if match:
                self._streak = self._streak + 1 if shape is self._streak_shape else 0
                self._streak_shape = shape
                self._take(shape, match.groups())
                return
        self._streak = 0
        self._look_closely(line)

    def _add_block(self, lines: Sequence[str], at: int) -> int:
        """Take the lines that go on with a streak, and return the place of the first that does not."""
        shape, self._streak = self._last_shape, 0
        if shape is None or shape is not self._streak_shape or shape.plan.progress is not None:
            return at  # states of a progress bar replace each other
        size = _LEAST_BLOCK
        while at < len(lines):
            groups = leading(shape, lines[at : at + size])
            if groups:
                self._take_many(shape, groups)
            at += len(groups)
            if len(groups) < size:
                break
            size = min(2 * size, _MOST_BLOCK)
        return at

    def _look_closely(self, line: str) -> None:
        if len(line) > LONGEST_LINE:
            return
        parts = NUMBER.split(line)
        key = tuple(parts[::2])
        if len(key) < 2:
            return
        shape = self._known[key] if key in self._known else self._learn(key)
        if shape is not None:
            self._recent = [shape, *(one for one in self._recent if one is not shape)][:_MOST_RECENT]
            self._take(shape, tuple(parts[1 + 2 * place] for place in shape.plan.places))

    def add_last(self, line: str) -> None:
        """Take a line that has no end: one that a crash may have cut is left out, and ``torn`` says so."""
        parts = NUMBER.split(line)
        known = self._known.get(tuple(parts[::2]))
        if known is not None and known.plan.values and not parts[-1].strip():
            self.torn = True  # it ends with digits, of which some may be missing
        elif known is not None:
            self.add([line])
        elif line.strip() and len(self):
            self.torn = len(parts) > 1

    def table(self) -> Table:
        """Return the rows as a table; its counters are ``epoch`` and ``step``. The rows are gone thereafter."""
        bars, (epochs, steps, progress), found = self._unpacked()
        states = np.array(self.states)
        collapse = int((bars & (states == _CURRENT)).sum()) > 1  # several, as one an epoch: each is one point
        if not collapse:
            steps = np.where(bars, progress, steps)
        keep = (states == _CURRENT) | ((states == _OLD_STATE) & (not collapse))
        keep &= _in_the_run(keep, np.isfinite(epochs) | np.isfinite(steps))
        curves, inferred = _without_summaries(found)
        columns = [_column("epoch", epochs), _column("step", steps), *curves]
        keep &= np.any([column.present for column in curves], axis=0) if curves else False
        kept = thinned(columns, np.flatnonzero(keep))
        used = [one for one in (_rows_of(column, kept) for column in columns) if one.present.any()]
        events = [Event("truncated", detail={"line": "last"})] if self.torn else []
        return Table(used, len(kept), events=events, inferred=inferred)

    def _unpacked(self) -> tuple[Mask, list[Numbers], list[Column]]:
        """Return the mask of bars, the counters and the columns; the packed rows, of which these are copies, go."""
        ids = np.array(self.plan_ids, dtype=np.intp)
        flat = np.frombuffer(self.numbers) if len(self) else np.empty(0)
        widths = np.array([len(plan.places) + _COUNTERS for plan in self.plans], dtype=np.intp)
        ends = np.cumsum(widths[ids]) if len(ids) else np.empty(0, dtype=np.intp)
        self.plan_ids, self.numbers = array("H"), array("d")
        return self._bars(ids), [flat[ends - back] for back in (3, 2, 1)], self._columns(ids, flat, ends)

    def _bars(self, ids: NDArray[np.intp]) -> Mask:
        """Return which rows are states of a progress bar of the training, shape (rows,)."""
        is_bar = [plan.progress is not None and not plan.is_evaluation for plan in self.plans]
        return np.array(is_bar, dtype=bool)[ids]

    def _columns(self, ids: NDArray[np.intp], flat: Numbers, ends: NDArray[np.intp]) -> list[Column]:
        columns: dict[str, tuple[Numbers, Mask]] = {}
        for number, plan in enumerate(self.plans):
            rows = np.flatnonzero(ids == number)
            first = ends[rows] - _COUNTERS - len(plan.places)
            for place, name in plan.values:
                if name not in columns:
                    columns[name] = np.full(len(ids), np.nan), np.zeros(len(ids), dtype=bool)
                values, present = columns[name]
                values[rows], present[rows] = flat[first + plan.places.index(place)], True
        return [Column(name, *pair) for name, pair in columns.items()]

    def _learn(self, key: tuple[str, ...]) -> Shape | None:
        plan = plan_of(key)
        if len(self._known) >= _MOST_SHAPES:
            self._known.clear()
        if plan is not None and plan not in self.plans:
            self.plans.append(plan)
        shape = None if plan is None else shape_of(plan, self.plans.index(plan), key)
        self._known[key] = shape
        return shape

    def _take(self, shape: Shape, texts: Texts) -> None:
        numbers = _numbers(texts)
        at_epoch, at_step, at_progress = shape.counters
        if at_epoch is not None:
            self._epoch = numbers[at_epoch]
        step = self._step if at_step is None else numbers[at_step]
        if shape.is_heading:
            self._step = step if at_step is not None else math.nan
            return
        if at_step is not None:
            self._step = math.nan
        if texts == self._last_texts and self._is_repeated(shape):
            return
        self._last_texts, self._last_shape = texts, shape
        progress = math.nan if at_progress is None else numbers[at_progress]
        if at_progress is not None or self._pending is not None:
            self._supersede(shape.plan, progress)
        self.plan_ids.append(shape.number)
        self.numbers.extend((*numbers, self._epoch, step, progress))
        self.states.append(_CURRENT)

    def _take_many(self, shape: Shape, groups: list[Texts]) -> None:
        """Take rows of the shape of the last one, as ``_take`` does one by one."""
        at_epoch, at_step, _ = shape.counters
        if shape.plan.step is not None:
            groups = without_repeats(groups, self._last_texts)
        if not groups:
            return
        numbers = rows_of(groups)
        count, width = numbers.shape
        rows = np.full((count, width + _COUNTERS), np.nan)
        rows[:, :width] = numbers
        rows[:, width] = self._epoch if at_epoch is None else numbers[:, at_epoch]
        rows[:, width + 1] = self._step if at_step is None else numbers[:, at_step]
        self._epoch = float(rows[-1, width])
        self._last_texts = groups[-1]
        self.plan_ids.extend(array("H", [shape.number]) * count)
        self.numbers.frombytes(rows.tobytes())
        self.states.frombytes(bytes([_CURRENT]) * count)

    def _is_repeated(self, shape: Shape) -> bool:
        """Return whether a line says again what the one before it said, as where two loggers print each line."""
        last = self._last_shape
        if last is None or last.plan.family != shape.plan.family:
            return False
        return last is not shape or shape.plan.step is not None

    def _supersede(self, plan: Plan, progress: float) -> None:
        pending = self._pending
        self._pending = None if plan.progress is None else (plan.family, self._epoch, progress)
        if pending is None or plan.progress is None or not {*pending[0]} <= {*plan.family} or progress < pending[2]:
            return
        if pending[1] == self._epoch or math.isnan(self._epoch):
            self.states[-1] = _OLD_EVALUATION if plan.is_evaluation else _OLD_STATE


def _numbers(texts: Texts) -> list[float]:
    try:
        return [*map(float, texts)]
    except ValueError:
        return [float(text.replace(",", "")) for text in texts]


def _column(name: str, values: Numbers) -> Column:
    return Column(name, values, np.isfinite(values))


def _in_the_run(keep: Mask, counted: Mask) -> Mask:
    """Return which rows can belong to a run that counts: none before its first count, nor a few without one."""
    places = np.flatnonzero(keep & counted)
    if len(places) < _LEAST_COUNTS:
        return np.ones_like(keep)
    if len(places) >= _MOSTLY * keep[places[0] :].sum():
        return counted
    return np.asarray(np.arange(len(keep)) >= places[0])


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
