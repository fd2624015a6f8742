"""``history.json`` of skorch: an array with an object an epoch, its batches inside it."""

from pathlib import Path

from dlcheck.runs.json_text import array_records, first_object
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.records import records_table
from dlcheck.runs.run import Run
from dlcheck.runs.tables import table_runs


def _matches(path: Path) -> bool:
    record = first_object(path) or {}
    return isinstance(record.get("batches"), list) and "epoch" in record


def _read(path: Path, options: ReadOptions) -> list[Run]:
    found = array_records(path)
    # Flags as valid_loss_best repeat what the values say.
    records = [{key: value for key, value in record.items() if _kept(key)} for record in found.records]
    return table_runs(records_table(records, events=found.events), options.names)


def _kept(key: str) -> bool:
    return key != "batches" and not key.endswith(("_best", "_batch_count"))


READER = Reader("skorch-history", _matches, _read, rank=15)
