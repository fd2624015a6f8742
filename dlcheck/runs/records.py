"""Records, each with the names that it has values for, made into a table."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dlcheck.errors import DlcheckError
from dlcheck.runs.columns import Column, Mask, Table
from dlcheck.runs.names import SPLITS, meaning
from dlcheck.runs.numerals import is_absent, number
from dlcheck.runs.run import Event
from dlcheck.runs.table_head import MOST_COLUMNS

_DEPTH = 4
_TELLS_SPLIT = ("mode", "split", "phase", "stage", "subset")
_MOST_CELLS = 50_000_000
_MOST_WORDS = 0.1


def records_table(
    records: Sequence[Mapping[str, object]], *, events: Sequence[Event] = (), meta: Mapping[str, object] | None = None
) -> Table:
    """Return the table of records in which a key that a record lacks is absent.

    Nested objects get names joined by a slash. A record that tells its split in a word, as ``"mode": "val"``,
    puts it before its names. Null is absent, but for a loss that is null from some record to the last
    though it never was before: that is how loggers of strict JSON spell NaN.

    Args:
        records: In the order of the log.
        events: What was seen while reading.
        meta: What the log says about the run.

    Raises:
        DlcheckError: more than 10,000 names.
    """
    gathered: dict[str, tuple[list[int], list[object]]] = {}
    for row, record in enumerate(records):
        for name, value in _flat(record, _split_prefix(record)):
            rows, values = gathered.setdefault(name, ([], []))
            if not rows or rows[-1] != row:
                rows.append(row)
                values.append(value)
        if len(gathered) > MOST_COLUMNS or len(gathered) * len(records) > _MOST_CELLS:
            raise DlcheckError(f"no training log: {len(gathered)} names of values in {len(records)} records")
    found = [(name, _column(name, rows, values, len(records))) for name, (rows, values) in gathered.items()]
    columns = [column for _, column in found if column is not None]
    texts = [name for name, column in found if column is None]
    inferred = [
        f"{column.name!r} is null to the end: read as NaN" for column in columns if column.name in _nulls(gathered)
    ]
    return Table(columns, len(records), texts, tuple(events), inferred=inferred, meta=meta or {})


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


def _column(name: str, rows: list[int], cells: list[object], count: int) -> Column | None:
    """Return the column of cells at rows, None where too many are words or none is a number."""
    values = np.full(count, np.nan)
    present = np.zeros(count, dtype=np.bool_)
    words = 0
    for row, cell in zip(rows, cells, strict=True):
        found = _value(cell)
        if found is None:
            words += cell is not None and not (isinstance(cell, str) and is_absent(cell))
        else:
            values[row], present[row] = found, True
    if not present.any() or words > _MOST_WORDS * len(rows):
        return None
    _null_as_nan(name, rows, cells, present)
    return Column(name, values, present)


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


def _null_as_nan(name: str, rows: list[int], cells: list[object], present: Mask) -> None:
    if _null_from(name, cells) is not None:
        present[[row for row, cell in zip(rows, cells, strict=True) if cell is None]] = True


def _null_from(name: str, cells: list[object]) -> int | None:
    """Return from which cell on a loss is null to the end, None where it is not so."""
    said = meaning(name)
    if said is None or said.kind != "loss" or not cells or cells[-1] is not None:
        return None
    first = next((at for at, cell in enumerate(cells) if cell is None), 0)
    only_nulls = all(cell is None for cell in cells[first:])
    return first if only_nulls and first > 1 and len(cells) - first > 1 else None


def _nulls(gathered: Mapping[str, tuple[list[int], list[object]]]) -> set[str]:
    return {name for name, (_, cells) in gathered.items() if _null_from(name, cells) is not None}


def lists_table(lists: Mapping[str, Sequence[object]], *, meta: Mapping[str, object] | None = None) -> Table:
    """Return the table of lists of values, one list a name; shorter ones end earlier."""
    count = max(map(len, lists.values()), default=0)
    found = [(name, _column(name, list(range(len(cells))), list(cells), count)) for name, cells in lists.items()]
    columns = [column for _, column in found if column is not None]
    return Table(columns, count, [name for name, column in found if column is None], meta=meta or {})
