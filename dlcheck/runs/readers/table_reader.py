"""What the readers of delimited tables have in common."""

from collections.abc import Callable
from pathlib import Path

from dlcheck.runs.delimited import read_delimited
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.run import Run
from dlcheck.runs.table_head import TableHead, table_head
from dlcheck.runs.tables import table_runs


def table_reader(name: str, fits: Callable[[TableHead], bool], rank: int) -> Reader:
    """Return a reader of tables whose header says what wrote them.

    Args:
        name: The format.
        fits: Whether a header, with the first rows below it, is of that format.
        rank: When it is asked.
    """

    def matches(path: Path) -> bool:
        head = table_head(path)
        return head is not None and fits(head)

    def read(path: Path, options: ReadOptions) -> list[Run]:
        return table_runs(read_delimited(path), options.names)

    return Reader(name, matches, read, rank)
