"""``log`` of Chainer's LogReport: a JSON array with an object an epoch or interval."""

from pathlib import Path

from dlcheck.runs.json_text import array_records, first_object
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.records import records_table
from dlcheck.runs.run import Run
from dlcheck.runs.tables import table_runs


def _matches(path: Path) -> bool:
    record = first_object(path) or {}
    return {"epoch", "iteration"} <= set(record) and any("loss" in key for key in record)


def _read(path: Path, options: ReadOptions) -> list[Run]:
    found = array_records(path)
    return table_runs(records_table(found.records, events=found.events), options.names)


READER = Reader("chainer-log", _matches, _read, rank=20)
