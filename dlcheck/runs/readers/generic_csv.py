"""Any table with a header whose columns can be told by their names; exports of Weights & Biases among them."""

from dataclasses import replace
from pathlib import Path

from dlcheck.runs.delimited import read_delimited
from dlcheck.runs.grouped import is_chart, parted_by_chart, parted_by_group
from dlcheck.runs.names import meaning
from dlcheck.runs.numerals import is_absent, number
from dlcheck.runs.progress import require_progress
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.run import Run
from dlcheck.runs.table_head import TableHead, table_head
from dlcheck.runs.tables import table_runs

_LEAST_POINTS = 2
_LONGEST_NAME = 80


def _matches(path: Path) -> bool:
    head = table_head(path)
    return head is not None and any(_is_curve(head, place) for place in range(len(head.names)))


def _is_curve(head: TableHead, place: int) -> bool:
    """Return whether a column has the name of a loss or score, and nothing but numbers under it."""
    said = meaning(head.names[place])
    if said is None or said.kind not in ("loss", "metric") or len(head.names[place]) > _LONGEST_NAME:
        return False
    cells = [row[place] for row in head.cells if place < len(row) and row != head.names]
    return all(is_absent(cell) or number(cell, head.decimal) is not None for cell in cells)


def _read(path: Path, options: ReadOptions) -> list[Run]:
    table = read_delimited(path)
    names = (*(column.name for column in table.columns), *table.texts)
    chart = is_chart(names)
    written = {"format": "wandb-csv"} if chart or _is_history(names) else {}
    runs: list[Run] = []
    for part, told in parted_by_chart(table) if chart else parted_by_group(table):
        if not options.names:
            require_progress(part)
        found = table_runs(part, options.names, least=_LEAST_POINTS)
        runs += [replace(run, meta={**run.meta, **told, **written}) for run in found]
    return runs


def _is_history(names: tuple[str, ...]) -> bool:
    """Return whether a header has the columns that Weights & Biases adds to every history."""
    return "_step" in names and bool({"_runtime", "_timestamp"} & {*names})


READER = Reader("csv", _matches, _read, rank=90)
