"""Any table with a header whose columns can be told by their names; exports of Weights & Biases among them."""

from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs.columns import Table
from dlcheck.runs.delimited import read_delimited
from dlcheck.runs.names import meaning
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.run import Run
from dlcheck.runs.table_head import TableHead, table_head
from dlcheck.runs.tables import table_runs

_LEAST_POINTS = 2
_MOST_WORDY = 0.5  # share of columns with words from which rows are things, not times


def read_generic_csv(path: Path, options: ReadOptions) -> list[Run]:
    """Read a table by the names of its columns.

    Raises:
        DlcheckError: no table, no progress in its rows, or no loss or score among its columns.
    """
    table = read_delimited(path)
    if not options.names:
        _check_progress(table)
    return table_runs(table, options.names, least=_LEAST_POINTS)


def _check_progress(table: Table) -> None:
    """Refuse tables whose rows are things rather than moments of a training."""
    counted = any(
        _kind(column.name) in ("epoch", "step", "time") and column.present.mean() > 0.5 for column in table.columns
    )
    if len(table.texts) > _MOST_WORDY * (len(table.columns) + len(table.texts)):
        raise DlcheckError(_why(table))
    if not counted and table.texts:
        raise DlcheckError(_why(table))


def _why(table: Table) -> str:
    named = ", ".join(table.texts[:3])
    return (
        f"no training log: a table of {table.rows} rows, each a thing with words ({named}), not a moment of a training"
    )


def _matches(path: Path) -> bool:
    head = table_head(path)
    return head is not None and _promising(head)


def _promising(head: TableHead) -> bool:
    return any(_kind(name) in ("loss", "metric") for name in head.names)


def _kind(name: str) -> str:
    said = meaning(name)
    return said.kind if said else "other"


READER = Reader("csv", _matches, read_generic_csv, rank=90)
