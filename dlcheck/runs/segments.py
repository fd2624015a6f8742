"""Where in a log one run ends and the next begins, and where a resumed run goes over its steps again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcheck.runs.counters import Counter, Counters
from dlcheck.runs.run import Event

Rows = NDArray[np.intp]

_ONCE_A_ROW = 0.6  # share of rises, falls left out, from which a counter is held to rise with every row
_TOO_MANY = 0.45  # share of falls from which it counts something else than the progress of a run


@dataclass(slots=True)
class Segment:
    """The rows of one run, in order, without those that a resume went over again."""

    rows: Rows
    events: tuple[Event, ...] = ()


def find_segments(count: Counters, rows: int, same: Callable[[int, int], bool], breaks: Sequence[int]) -> list[Segment]:
    """Part the rows of a log into runs.

    A counter that falls back to where the log began starts another run; one that falls to a later
    value is a resume, whose rows replace the earlier ones of the same place. Epochs decide where there are any,
    but never against steps that go on.

    Args:
        count: Where each row stands.
        rows: How many rows there are.
        same: Whether two rows hold values of the same loss or score.
        breaks: Rows before which the log says that a run may begin; they count where there is no counter.
    """
    leading = count.epoch or count.step
    every = np.arange(rows)
    if leading is None:
        return [Segment(part) for part in np.split(every, list(breaks)) if len(part)]
    places = [row for row in _falls(leading, same) if not _goes_on(count, row)]
    if len(places) > max(1.0, _TOO_MANY * rows):
        return [Segment(every)]
    found = [Segment(every[: places[0]] if places else every)]
    start = leading.values[leading.present][0]
    for place, end in zip(places, [*places[1:], rows][: len(places)], strict=True):
        part = every[place:end]
        if leading.values[place] <= start:
            found.append(Segment(part))
        else:
            _resume(found[-1], part, count)
    return found


def _falls(counter: Counter, same: Callable[[int, int], bool]) -> list[int]:
    """Return the rows at which a counter falls, or repeats itself where it rises from row to row."""
    values = counter.values if counter.present.all() else counter.values[counter.present]
    later, earlier = values[1:], values[:-1]
    falling, repeating = np.flatnonzero(later < earlier), np.flatnonzero(later == earlier)
    if not len(falling) and not len(repeating):
        return []
    told = np.flatnonzero(counter.present)
    falls = told[falling + 1].tolist()
    rising = len(later) - len(falling) - len(repeating)
    if rising >= _ONCE_A_ROW * (rising + len(repeating)):
        falls += [int(told[at + 1]) for at in repeating if same(int(told[at]), int(told[at + 1]))]
    return sorted(falls)


def _goes_on(count: Counters, row: int) -> bool:
    return (
        count.epoch is not None and count.step is not None and bool(count.step.values[row] > count.step.values[row - 1])
    )


def _resume(segment: Segment, part: Rows, count: Counters) -> None:
    """Let a part replace the rows of a segment from its first place on."""
    before, row = segment.rows, int(part[0])
    counter = next(one for one in (count.step, count.epoch) if one and (one is count.epoch or _fell(one, before, row)))
    first, last = counter.values[row], np.fmax.reduce(counter.values[before], initial=-np.inf)
    kept = before[~(counter.values[before] >= first)]
    name = "epoch" if counter is count.epoch else "step"
    detail = {"first": _exact(first), "last": _exact(last), "counter": name, "dropped": len(before) - len(kept)}
    segment.rows = np.concatenate([kept, part])
    place = int(first) if abs(first) < 2**53 else None
    segment.events += (
        Event(
            "overlap", step=place if name == "step" else None, epoch=place if name == "epoch" else None, detail=detail
        ),
    )


def _fell(counter: Counter, before: Rows, row: int) -> bool:
    return bool(counter.values[row] <= np.fmax.reduce(counter.values[before], initial=-np.inf))


def _exact(value: float) -> float | int:
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else float(value)
