"""A JSON object a line: Detectron2, mmcv and mmengine, DeiT, MAE and DETR, LLaMA-Factory, spaCy, one's own loop."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dlcheck.runs.columns import Table
from dlcheck.runs.json_columns import plain_table
from dlcheck.runs.json_text import LineRecords, head_objects
from dlcheck.runs.names import meaning
from dlcheck.runs.numerals import number
from dlcheck.runs.progress import require_progress
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.records import records_table
from dlcheck.runs.run import Run
from dlcheck.runs.tables import table_runs

_WRITERS = {
    "detectron2": {"iteration", "total_loss"},
    "mmcv": {"mode", "epoch", "iter"},
    "llama-factory": {"current_steps", "total_steps"},
    "deit": {"train_loss", "n_parameters", "epoch"},
    "spacy": {"losses", "scores", "score"},
}


def _matches(path: Path) -> bool:
    return any(_promising(record) for record in head_objects(path))


def _promising(record: Mapping[str, object]) -> bool:
    if "log_history" in record:
        return False
    nested = [value for value in record.values() if isinstance(value, dict)]
    names = [name for level in (record, *nested) for name, value in level.items() if _is_value(value)]
    said = [meaning(str(name)) for name in names]
    return any(one is not None and one.kind in ("loss", "metric") for one in said)


def _is_value(value: object) -> bool:
    return value is None or isinstance(value, int | float) or (isinstance(value, str) and number(value) is not None)


def _read(path: Path, options: ReadOptions) -> list[Run]:
    table = plain_table(path) or _any_table(path)
    table = replace(table, meta=_written_by(head_objects(path, 10)))
    if not options.names and not table.meta:
        require_progress(table)
    return table_runs(table, options.names)


def _any_table(path: Path) -> Table:
    lines = LineRecords(path)
    table = records_table(lines)
    return replace(table, events=lines.events)


def _written_by(records: list[dict[str, object]]) -> dict[str, object]:
    keys = [set(record) for record in records]
    name = next((name for name, signs in _WRITERS.items() if any(signs <= one for one in keys)), None)
    return {"written_by": name, "format": f"{name}-jsonl"} if name else {}


READER = Reader("jsonl", _matches, _read, rank=60)
