"""Where a score turns from a fraction into percent or back, as when a metric's code was changed before a resume."""

import re
from collections.abc import Iterable

import numpy as np

from dlcheck.runs.run import Event, Numbers, Part

_FRACTIONS = re.compile(r"acc|precision|recall|f1|auc|iou|dice|map|top|jaccard|sensitivity|specificity")
_PERCENT = 1.5  # a share above this is in percent (log-formats: 6, names to roles)
_TIMES = (20.0, 500.0)  # around the hundredfold
_LEAST = 3  # points on either side


def unit_changes(parts: Iterable[Part]) -> list[Event]:
    """Return an event ``unit-change`` for each score whose values leap by about a hundred and stay there.

    Args:
        parts: Series of one run. Those are looked at whose name is that of a share, such as accuracy.
    """
    found: list[Event] = []
    for part in parts:
        place = _leap(part.values) if _FRACTIONS.search(part.metric) and "loss" not in part.metric else None
        if place is not None:
            step, epoch = (_at(places, place) for places in (part.steps, part.epochs))
            detail = {"metric": f"{part.split}/{part.metric}", "point": place}
            found.append(Event("unit-change", step=step, epoch=epoch, detail=detail))
    return found


def _leap(values: Numbers) -> int | None:
    """Return the first point after the leap; None where there is none."""
    finite = np.flatnonzero(np.isfinite(values) & (values > 0))
    if len(finite) < 2 * _LEAST:
        return None
    kept = values[finite]
    high = kept > _PERCENT
    turns = np.flatnonzero(high[1:] != high[:-1]) + 1
    if len(turns) != 1 or not _LEAST <= turns[0] <= len(kept) - _LEAST:
        return None
    before, after = np.median(kept[turns[0] - _LEAST : turns[0]]), np.median(kept[turns[0] : turns[0] + _LEAST])
    times = max(before, after) / min(before, after)
    return int(finite[turns[0]]) if _TIMES[0] <= times <= _TIMES[1] else None


def _at(places: Numbers | None, point: int) -> int | None:
    value = np.nan if places is None else places[point]
    return int(value) if np.isfinite(value) and abs(value) < 2**53 else None
