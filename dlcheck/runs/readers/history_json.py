"""A history as one JSON value: Keras' dict of lists, Sacred's values with steps, a list of records, own nestings."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from dlcheck.errors import DlcheckError
from dlcheck.runs.assemble import Series, assemble, has_curve
from dlcheck.runs.content import head_text
from dlcheck.runs.json_text import array_records, load_json
from dlcheck.runs.names import meaning
from dlcheck.runs.progress import require_progress
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.records import lists_table, records_table
from dlcheck.runs.run import Run
from dlcheck.runs.tables import table_runs

_KEY = re.compile(r'"([^"\\]{1,80})"\s*:\s*(\[|\{|[-\d.NI"])')
_RECORDS = re.compile(r"\[\s*\{")
_DEPTH = 4
_LEAST_POINTS = 2


def _matches(path: Path) -> bool:
    text = head_text(path).lstrip()
    if not text.startswith(("{", "[")):
        return False
    wanted = ["[", "{"] if text.startswith("{") else []
    if _RECORDS.search(text):
        wanted += ["-", ".", "N", "I", *"0123456789"]
    keys = {match.group(1) for match in _KEY.finditer(text) if match.group(2) in wanted}
    said = [meaning(key) for key in keys]
    return any(one is not None and one.kind in ("loss", "metric") for one in said)


def _read(path: Path, options: ReadOptions) -> list[Run]:
    if head_text(path).lstrip().startswith("["):
        found = array_records(path)
        table = records_table(found.records, events=found.events)
        require_progress(table)
        return table_runs(table, options.names, least=_LEAST_POINTS)
    content = load_json(path)
    if not isinstance(content, dict):
        raise DlcheckError(f"{path}: no training log: expected an object of lists")
    return _with_steps(content, options) or _of_lists(content, path, options)


def _of_lists(content: Mapping[str, object], path: Path, options: ReadOptions) -> list[Run]:
    lists = {name: value for name, value in _lists(content) if not isinstance(value[0], Mapping)}
    if lists:
        table = lists_table({_short(name, lists): value for name, value in lists.items()})
        return table_runs(table, options.names, least=_LEAST_POINTS)
    of_records = [value for _, value in _lists(content) if isinstance(value[0], Mapping)]
    if not of_records:
        raise DlcheckError(f"{path}: no training log: an object without a list of values")
    longest = max(of_records, key=len)
    table = records_table([record for record in longest if isinstance(record, dict)])
    require_progress(table)
    return table_runs(table, options.names, least=_LEAST_POINTS)


def _lists(content: Mapping[str, object], prefix: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, list[object]]]:
    for key, value in content.items():
        if isinstance(value, list) and value and not isinstance(value[0], list):
            yield f"{prefix}{key}", value
        elif isinstance(value, Mapping) and depth:
            yield from _lists(value, f"{prefix}{key}/", depth - 1)


def _short(name: str, names: Mapping[str, object]) -> str:
    """Return a name without the objects around it, where the rest says enough and is the only one."""
    last = name.rpartition("/")[2]
    only = sum(other.rpartition("/")[2] == last for other in names) == 1
    return last if only and meaning(last) == meaning(name) else name


def _with_steps(content: Mapping[str, object], options: ReadOptions) -> list[Run]:
    """Return the run of Sacred's metrics, each with values and steps; none where these are not all."""
    series: list[Series] = []
    for name, value in content.items():
        if not isinstance(value, dict) or not isinstance(value.get("values"), list):
            return []
        steps = value.get("steps")
        if not isinstance(steps, list) or len(steps) != len(value["values"]):
            return []
        table = lists_table({"value": value["values"], "step": steps})
        column = {one.name: one for one in table.columns}
        if "value" in column and "step" in column:
            kept = column["value"].present & column["step"].present
            series.append(Series(name, column["value"].values[kept], np.asarray(column["step"].values[kept])))
    run = assemble(series, options.names) if series else None
    return [run] if run is not None and has_curve(run, _LEAST_POINTS) else []


READER = Reader("history-json", _matches, _read, rank=70)
