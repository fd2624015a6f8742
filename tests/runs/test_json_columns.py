"""Long logs of JSON lines are read as columns where their lines are alike; what they hold must not depend on it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlcheck.runs import json_columns
from dlcheck.runs.json_columns import plain_table
from dlcheck.runs.json_text import LineRecords
from dlcheck.runs.readers.reader import read_run
from dlcheck.runs.records import records_table
from dlcheck.runs.run import Run

LINES = [f'{{"step": {n}, "loss": {1 / (n + 1)!r}, "val_loss": {n * 1e-9:.3e}, "lr": -0.1}}' for n in range(500)]


def _with(line: str) -> list[str]:
    return [*LINES[:300], line, *LINES[301:]]


ALIKE: dict[str, Callable[[], str]] = {
    "numbers": lambda: "\n".join([*LINES, ""]),
    "no blanks": lambda: "\n".join([*LINES, ""]).replace(" ", ""),
}
OTHERS: dict[str, Callable[[], str]] = {
    "torn": lambda: "\n".join([*LINES, '{"step": 500, "lo']),
    "no last line's end": lambda: "\n".join(LINES),
    "null": lambda: "\n".join([*_with('{"step": 300, "loss": null, "val_loss": 1, "lr": 0.1}'), ""]),
    "not a number": lambda: "\n".join([*_with('{"step": 300, "loss": NaN, "val_loss": 1, "lr": 0.1}'), ""]),
    "another order": lambda: "\n".join([*_with('{"loss": 1, "step": 300, "val_loss": 1, "lr": 0.1}'), ""]),
    "a name less": lambda: "\n".join([*_with('{"step": 300, "loss": 1, "lr": 0.1}'), ""]),
    "a name more": lambda: "\n".join([*_with('{"step": 300, "loss": 1, "val_loss": 1, "lr": 0.1, "x": 1}'), ""]),
    "a list": lambda: "\n".join([*_with('{"step": 300, "loss": 1, "val_loss": [1, 2], "lr": 0.1}'), ""]),
    "a word": lambda: "\n".join([*_with('{"step": 300, "loss": "low", "val_loss": 1, "lr": 0.1}'), ""]),
    "bare numbers": lambda: "\n".join([*_with("300,1,1,0.1"), ""]),
    "a blank line": lambda: "\n".join([*_with(""), ""]),
    "a name twice": lambda: "\n".join([line.replace('"lr"', '"loss"') for line in LINES] + [""]),
    "beyond floats": lambda: "\n".join([*_with('{"step": 300, "loss": 1e999, "val_loss": 1, "lr": 0.1}'), ""]),
}


@pytest.fixture(autouse=True)
def short_files_count_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_columns, "_LONG", 1)


@pytest.mark.parametrize("kind", ALIKE)
def test_lines_that_differ_in_numbers_alone_are_columns(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(ALIKE[kind]())
    table = plain_table(path)
    assert table is not None
    whole = records_table(LineRecords(path))
    assert [column.name for column in table.columns] == [column.name for column in whole.columns]
    for one, other in zip(table.columns, whole.columns, strict=True):
        assert np.array_equal(one.values, other.values)
        assert np.array_equal(one.present, other.present)


@pytest.mark.parametrize("kind", OTHERS)
def test_any_other_line_leaves_the_file_to_the_general_way(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(OTHERS[kind]())
    assert plain_table(path) is None
    long = read_run(path)
    monkeypatch.setattr(json_columns, "_LONG", 1 << 30)
    assert _told(long) == _told(read_run(path))


def _told(run: Run) -> tuple[str, object, object]:
    return run.scalars.to_csv(), run.meta, run.events
