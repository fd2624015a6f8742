"""The history of a Weights & Biases run as a table."""

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dlcheck.runs.columns import Column, Table
from dlcheck.runs.numerals import number
from dlcheck.runs.readers.protobuf_wire import BYTES, fields, signed, text
from dlcheck.runs.readers.wandb_record import WandbRecords
from dlcheck.runs.run import Event

Row = Mapping[str, float]
_HISTORY = 2
_ITEM, _STEP = 1, 2
_KEY, _NESTED_KEY, _VALUE_JSON = 1, 2, 16


def wandb_table(content: bytes) -> Table:
    """Return the history in the bytes of a ``.wandb`` file.

    Field numbers are those of wandb_internal.proto: a record's history, its items and their JSON values.
    """
    records = WandbRecords(content)
    rows: list[Row] = []
    foreign = 0
    for record in records:
        try:
            rows.extend(_row(part) for kind, wire, part in fields(record) if (kind, wire) == (_HISTORY, BYTES))
        except ValueError:
            foreign += 1
    events = (
        [Event("bad-record", detail={"records": foreign + len(records.broken)})] if foreign or records.broken else []
    )
    if records.torn:
        events.append(Event("truncated", detail={"byte": len(content)}))
    return history_table(rows, events)


def jsonl_table(content: str) -> Table:
    """Return the history in ``wandb-history.jsonl``, which early releases wrote."""
    rows: list[Row] = []
    events: list[Event] = []
    lines = content.split("\n")
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            rows.append(_numbers((str(key), _spelled(value)) for key, value in record.items()))
        else:
            events.append(Event("truncated" if place == len(lines) else "bad-record", detail={"line": place}))
    return history_table(rows, events)


def history_table(rows: Sequence[Row], events: Sequence[Event]) -> Table:
    """Return rows of different keys as one table."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = []
    for name in names:
        present = np.array([name in row for row in rows], dtype=bool)
        columns.append(Column(name, np.array([row.get(name, np.nan) for row in rows]), present))
    return Table(columns, len(rows), events=events)


def _row(history: int | bytes) -> Row:
    pairs: list[tuple[str, str]] = []
    step: float | None = None
    for kind, _, part in fields(history) if isinstance(history, bytes) else ():
        if kind == _ITEM and isinstance(part, bytes):
            pairs.append(_item(part))
        elif kind == _STEP and isinstance(part, bytes):
            step = next(
                (float(signed(one)) for number_, _, one in fields(part) if number_ == 1 and isinstance(one, int)), 0.0
            )
    told = _numbers(pairs)
    return told if step is None or "_step" in told else {**told, "_step": step}


def _item(item: bytes) -> tuple[str, str]:
    parts = [(kind, text(part)) for kind, _, part in fields(item)]
    plain = next((word for kind, word in parts if kind == _KEY and word), "")
    nested = "/".join(word for kind, word in parts if kind == _NESTED_KEY)
    return plain or nested, next((word for kind, word in parts if kind == _VALUE_JSON), "")


def _numbers(pairs: Iterable[tuple[str, str]]) -> Row:
    found = ((name, number(spelled)) for name, spelled in pairs if name)
    return {name: value for name, value in found if value is not None}


def _spelled(value: object) -> str:
    return str(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
