"""The parts of one step, and the steps that show the steady state."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from dlcheck.profiling.found import Found
from dlcheck.profiling.rows import StepRow

FEWEST = 3
"""Steps that a median is taken of, where there are that many."""


def parts(row: StepRow) -> tuple[float, ...]:
    """Return the seconds of all ``PARTS`` of a step, in their order: none negative, together its period.

    Times that were taken inside one another (an optimizer that calls the model again, a copy within the forward
    pass) are counted once, for what is innermost.
    """
    asked, got, stepped, ended = _ordered(row)
    take = min(max(row.take, 0.0), got - asked)
    wait = got - asked - take
    named = _apart(row, stepped - got)
    inside = max(stepped - got - sum(named), 0.0)
    return (wait, take, *named, inside, ended - stepped)


def _ordered(row: StepRow) -> tuple[float, float, float, float]:
    """Return the four moments of a step, none before the one that precedes it and none after its end."""
    ended = max(row.asked, row.ended)
    got = min(max(row.asked, row.got), ended)
    return row.asked, got, min(max(got, row.stepped), ended), ended


def _apart(row: StepRow, room: float) -> tuple[float, float, float, float]:
    """Return copy, forward, backward and optimizer, which together take no more than ``room``."""
    copy, forward, backward, optimizer = (
        max(seconds, 0.0) for seconds in (row.copy, row.forward, row.backward, row.optimizer)
    )
    over = copy + forward + backward + optimizer - room
    if over <= 0:
        return copy, forward, backward, optimizer
    if optimizer >= forward + backward:  # its closure computes them, as that of LBFGS does
        optimizer = max(optimizer - over, 0.0)
    else:
        forward -= min(over, copy, forward)
    total = copy + forward + backward + optimizer
    scale = min(room / total, 1.0) if total > 0 else 0.0
    return copy * scale, forward * scale, backward * scale, optimizer * scale


def steady(rows: Sequence[StepRow]) -> list[StepRow]:
    """Return the steps of the steady state: neither the first of an epoch, nor the last, after which may come more.

    Where epochs are so short that hardly a step is left, the last ones count, and then the first ones too.
    """
    inner = [row for row, last in zip(rows, _lasts(rows), strict=True) if not (row.first or last)]
    later = [row for row in rows if not row.first]
    return next((some for some in (inner, later) if len(some) >= FEWEST), list(rows))


def _lasts(rows: Sequence[StepRow]) -> list[bool]:
    return [row.epoch != after.epoch for row, after in pairwise(rows)] + [False] * bool(rows)


def epoch_rows(found: Found) -> int | None:
    """Return the rows of an epoch, which has one for every batch that the loader yields; None where not known."""
    return found.steps_per_epoch * max(found.accumulate, 1) if found.steps_per_epoch else None
