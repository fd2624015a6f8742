"""Records, each with the names that it has values for, made into a table."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dlcheck.errors import DlcheckError
from dlcheck.runs.columns import Column, Table
from dlcheck.runs.names import SPLITS, meaning
from dlcheck.runs.numerals import is_absent, number
from dlcheck.runs.run import Event
from dlcheck.runs.table_head import MOST_COLUMNS

_DEPTH = 4
_TELLS_SPLIT = ("mode", "split", "phase", "stage", "subset")
_MOST_CELLS = 100_000_000
_MOST_WORDS = 0.1


@dataclass(slots=True)
class _Cells:
    """The cells of one name: numbers side by side, as objects would take five times the memory."""

    rows: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[float] = field(default_factory=lambda: array("d"))
    """NaN where the cell is none; then it stands among the others."""
    others: dict[int, object] = field(default_factory=dict)
    """Cells that are no float, by their place."""

    def add(self, row: int, cell: object) -> None:
        """Add the cell of a row; of several the first counts."""
        if self.rows and self.rows[-1] == row:
            return
        if type(cell) is float:
            self.numbers.append(cell)
        else:
            found = _value(cell)
            if found is None or isinstance(cell, str):
                self.others[len(self.rows)] = cell
            self.numbers.append(np.nan if found is None else found)
        self.rows.append(row)


def records_table(
    records: Iterable[Mapping[str, object]], *, events: Sequence[Event] = (), meta: Mapping[str, object] | None = None
) -> Table:
    """Return the table of records in which a key that a record lacks is absent.

    Nested objects get names joined by a slash. A record that tells its split in a word, as ``"mode": "val"``,
    puts it before its names. Null is absent, but for a loss that is null from some record to the last
    though it never was before: that is how loggers of strict JSON spell NaN.

    Args:
        records: In the order of the log; taken one by one.
        events: What was seen while reading.
        meta: What the log says about the run.

    Raises:
        DlcheckError: more than 10,000 names.
    """
    gathered: dict[str, _Cells] = {}
    count = 0
    for row, record in enumerate(records):
        count = row + 1
        for name, value in _flat(record, _split_prefix(record)):
            cells = gathered.get(name)
            if cells is None:
                cells = gathered[name] = _Cells()
            cells.add(row, value)
        if len(gathered) > MOST_COLUMNS or len(gathered) * count > _MOST_CELLS:
            raise DlcheckError(f"no training log: {len(gathered)} names of values in {count} records")
    nulls = {name for name, cells in gathered.items() if _null_from(name, cells) is not None}
    found = [(name, _column(name, gathered.pop(name), count)) for name in list(gathered)]
    columns = [column for _, column in found if column is not None]
    texts = [name for name, column in found if column is None]
    inferred = [f"{column.name!r} is null to the end: read as NaN" for column in columns if column.name in nulls]
    return Table(columns, count, texts, tuple(events), inferred=inferred, meta=meta or {})


def _split_prefix(record: Mapping[str, object]) -> str:
    told = (record.get(key) for key in _TELLS_SPLIT)
    split = next((SPLITS[word.lower()] for word in told if isinstance(word, str) and word.lower() in SPLITS), "train")
    return "" if split == "train" else f"{split}/"


def _flat(record: Mapping[str, object], prefix: str, depth: int = _DEPTH) -> Iterator[tuple[str, object]]:
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            if depth:
                yield from _flat(value, f"{name}/", depth - 1)
            continue
        said = meaning(str(key)) if prefix else None
        if said is not None and said.kind == "epoch":
            yield str(key), value  # epochs are those of training, whatever the split
        elif not (said is not None and said.kind == "step" and prefix in ("val/", "test/") and "iter" in str(key)):
            yield name, value  # mmcv: iterations of a validation record are those of its own data


def _column(name: str, cells: _Cells, count: int) -> Column | None:
    """Return the column of cells at rows, None where too many are words or none is a number."""
    rows = np.array(cells.rows, dtype=np.int64)
    numeric = np.ones(len(rows), dtype=np.bool_)
    numeric[[place for place, cell in cells.others.items() if _value(cell) is None]] = False
    words = sum(_is_word(cell) for cell in cells.others.values())
    if not numeric.any() or words > _MOST_WORDS * len(rows):
        return None
    values = np.full(count, np.nan)
    present = np.zeros(count, dtype=np.bool_)
    values[rows] = cells.numbers
    present[rows] = numeric
    if _null_from(name, cells) is not None:
        present[rows[[place for place, cell in cells.others.items() if cell is None]]] = True
    return Column(name, values, present)


def _is_word(cell: object) -> bool:
    return _value(cell) is None and cell is not None and not (isinstance(cell, str) and is_absent(cell))


def _value(cell: object) -> float | None:
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float):
        try:
            return float(cell)
        except OverflowError:
            return float("inf") if cell > 0 else float("-inf")
    if isinstance(cell, str):
        return None if is_absent(cell) else number(cell)
    return None


def _null_from(name: str, cells: _Cells) -> int | None:
    """Return from which cell on a loss is null to the end, None where it is not so."""
    said, last = meaning(name), len(cells.rows) - 1
    if said is None or said.kind != "loss" or cells.others.get(last, 0) is not None:
        return None
    nulls = [place for place, cell in cells.others.items() if cell is None]
    first = nulls[0]
    return first if first > 1 and last + 1 - first > 1 and len(nulls) == last + 1 - first else None


def lists_table(lists: Mapping[str, Sequence[object]]) -> Table:
    """Return the table of lists of values, one list a name; shorter ones end earlier."""
    count = max(map(len, lists.values()), default=0)
    found = [(name, _column(name, _listed(cells), count)) for name, cells in lists.items()]
    columns = [column for _, column in found if column is not None]
    return Table(columns, count, [name for name, column in found if column is None])


def _listed(values: Sequence[object]) -> _Cells:
    cells = _Cells()
    for row, value in enumerate(values):
        cells.add(row, value)
    return cells
