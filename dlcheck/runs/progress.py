"""Whether the rows of a table are moments of a training, rather than models, samples or settings."""

import numpy as np

from dlcheck.errors import DlcheckError
from dlcheck.runs.columns import Column, Table
from dlcheck.runs.names import meaning

_MOST_WORDY = 0.3  # share of columns with words from which rows are things
_TOLD = 0.5  # share of rows that tell a counter, in tables too short for
_MANY = 10  # so many of them
_NEVER_BACK = 0.8  # share of steps on which the counter of a training does not fall


def require_progress(table: Table) -> None:
    """Check that something in a table counts on, or that nothing says its rows are things.

    Raises:
        DlcheckError: the rows are in no order of time.
    """
    words = [name for name in table.texts if _kind(name) != "time"]
    counts = [column for column in table.columns if _kind(column.name) in ("epoch", "step")]
    times = [column for column in table.columns if _kind(column.name) == "time"]
    wordy = len(words) > _MOST_WORDY * (len(table.columns) + len(table.texts))
    if wordy or (words and not counts) or (counts and not any(_goes_on(one) for one in [*counts, *times])):
        raise DlcheckError(_why(table, words))


def _goes_on(column: Column) -> bool:
    values = column.values[column.present]
    if len(values) < 2:
        return len(column.present) < 3
    with np.errstate(invalid="ignore"):
        change = np.diff(values)
    told = len(values) >= _TOLD * len(column.present) or len(values) >= _MANY
    return bool(told and (change >= 0).mean() >= _NEVER_BACK and (change > 0).any())


def _why(table: Table, words: list[str]) -> str:
    of = f", each with words in {', '.join(words[:3])}" if words else ""
    return f"no training log: its {table.rows} rows{of} are in no order of time; expected a row for each epoch or step"


def _kind(name: str) -> str:
    said = meaning(name)
    return said.kind if said else "other"
