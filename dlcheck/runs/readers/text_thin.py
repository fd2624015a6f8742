"""Fewer rows of a very long log, chosen so that nothing worth a finding is lost."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dlcheck.runs.columns import Column

Rows = NDArray[np.intp]

MOST_ROWS = 200_000
_BUCKETS = 20_000


def thinned(columns: Sequence[Column], rows: Rows) -> Rows:
    """Return the rows to keep: all up to ``MOST_ROWS``, of more the telling ones of each of 20,000 stretches.

    Telling are the smallest and the largest value of each column, the first that is not finite,
    and both sides of every fall of a counter, by which runs are told apart.

    Args:
        columns: Columns, the counters ``epoch`` and ``step`` among them.
        rows: Places of the rows to choose from, rising.
    """
    if len(rows) <= MOST_ROWS:
        return rows
    bucket = np.arange(len(rows)) * _BUCKETS // len(rows)
    keep = np.zeros(len(rows), dtype=bool)
    keep[[0, -1]] = True
    for column in columns:
        there = np.flatnonzero(column.present[rows])
        values = column.values[rows][there]
        if column.name in ("epoch", "step"):
            falls = np.flatnonzero(np.diff(values) < 0)
            keep[there[falls]] = keep[there[falls + 1]] = True
        else:
            keep[there[_telling(values, bucket[there])]] = True
    return rows[keep]


def _telling(values: NDArray[np.float64], bucket: NDArray[np.intp]) -> Rows:
    finite = np.flatnonzero(np.isfinite(values))
    by_value = finite[np.lexsort((values[finite], bucket[finite]))]
    _, first = np.unique(bucket[by_value], return_index=True)
    last = np.append(first[1:], len(by_value)) - 1
    broken = np.flatnonzero(~np.isfinite(values))
    _, first_broken = np.unique(bucket[broken], return_index=True)
    return np.concatenate([by_value[first], by_value[last[last >= 0]], broken[first_broken]])
