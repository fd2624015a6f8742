"""Every reader of the registry: arbitrary bytes and damaged logs give runs or one clear line, nothing else."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.runs.readers.reader import Reader, ReadOptions, read_runs, readers
from dlcheck.runs.run import Run

TABLE = "epoch,loss,val_loss\n0,1.0,1.5\n1,0.8,nan\n2,inf,\n3,0.5,0.9\n"
LINES = "".join(
    json.dumps({"iteration": step, "total_loss": 1 / (step + 1), "lr": 0.1}) + "\n" for step in range(0, 60, 20)
)
LOGS = [
    TABLE,
    TABLE.replace(",", ";").replace(".", ","),
    TABLE + "epoch,loss,val_loss\n0,1.0,1.2\n",
    "epoch,step,train_loss,val_loss\n0,9,1.0,\n0,9,,1.1\n1,19,0.9,\n1,19,,1.0\n",
    "                  epoch,      train/box_loss,        val/box_loss\n    0,   0.1,  0.2\n   1,  0.05,  nan\n",
    '#{"t_start": 1.0}\nr,l,t\n-10.0,200,0.1\n-9.0,200,0.2\n',
    LINES,
    '{"log_history": [{"loss": 1.0, "step": 1, "epoch": 0.5}, {"eval_loss": NaN, "step": 2, "epoch": 1.0}]}',
    '[{"epoch": 1, "batches": [{}], "train_loss": 1, "valid_loss": 2}, {"epoch": 2, "batches": [], "train_loss": 0.5}]',
    '[{"epoch": 1, "iteration": 10, "main/loss": 1.0}, {"epoch": 2, "iteration": 20, "main/loss": 0.5}]',
    '{"loss": [1.0, 0.5, NaN], "val_loss": [1.0, 0.7, null]}',
    '{"train.loss": {"values": [1.0, 0.5], "steps": [10, 20]}}',
]
READERS = pytest.mark.parametrize("reader", readers(), ids=lambda reader: reader.name)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextlib.contextmanager
def holding(content: bytes, reader: Reader) -> Iterator[Path]:
    """Give a path of these bytes: a file, or for readers of folders one with the files that they look for."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "log"
        if reader.folder:
            path.mkdir()
            for inside in (
                "metrics.csv",
                "metrics_epoch_0.json",
                "metrics_epoch_1.json",
                "environment.json",
                "loss.tsv",
            ):
                (path / inside).write_bytes(content)
        else:
            path.write_bytes(content)
        yield path


def check_read(reader: Reader, content: bytes) -> None:
    with holding(content, reader) as path:
        assert isinstance(reader.matches(path), bool)
        runs, said = read(reader, path)
    if runs is None:
        assert str(path) in said
        assert "\n" not in said
        return
    assert runs
    for run in runs:
        check_run(run)


def read(reader: Reader, path: Path) -> tuple[list[Run] | None, str]:
    try:
        return read_runs(path, reader=reader.name), ""
    except DlcheckError as error:
        return None, str(error)


def check_run(run: Run) -> None:
    frame = run.scalars
    assert list(frame.columns) == ["step", "epoch", "wall_s", "split", "metric", "value"]
    assert frame["value"].dtype == np.float64
    assert set(frame["split"].unique()) <= {"train", "train_eval", "val", "test"}
    assert isinstance(run.meta["format"], str)


@READERS
@QUICK
@given(content=st.binary(max_size=400) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_arbitrary_bytes(reader: Reader, content: bytes) -> None:
    check_read(reader, content)


@READERS
@QUICK
@given(data=st.data())
def test_damaged_logs(reader: Reader, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(LOGS)).encode())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    check_read(reader, bytes(content[:cut] if data.draw(st.booleans()) else content))


@READERS
@QUICK
@given(
    rows=st.lists(st.lists(st.sampled_from(["1", "2.5", "nan", "", "x", "-inf", "1e999", "NA", "9" * 400]), max_size=4))
)
def test_tables_of_strange_cells(reader: Reader, rows: list[list[str]]) -> None:
    check_read(reader, ("epoch,loss,val_loss\n" + "".join(",".join(row) + "\n" for row in rows)).encode())


@READERS
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 1000,
        b"\x80\x04\x95" + b"x" * 100,
        b"[" * 100_000,
        b'{"loss": ' * 5000,
        b"loss" + b",loss" * 1_000_000 + b"\n" + b"1" + b",1" * 1_000_000 + b"\n",
        b"epoch,loss\n0," + b"9" * 100_000 + b"\n1,2\n",
        b'{"loss": ' + b"9" * 10_000 + b', "step": 1}\n',
        b'epoch,loss\n0,"1.0\n1,2\n',
    ],
    ids=["empty", "zeros", "pickle", "nested", "nested objects", "wide", "long number", "long integer", "open quote"],
)
def test_hostile_content(reader: Reader, content: bytes) -> None:
    check_read(reader, content)


@READERS
def test_a_path_that_is_not_there_matches_nothing(reader: Reader, tmp_path: Path) -> None:
    assert not reader.matches(tmp_path / "none")
    with pytest.raises((DlcheckError, OSError)):
        reader.read(tmp_path / "none", ReadOptions())


@pytest.mark.parametrize("text", LOGS)
def test_each_of_these_logs_is_read_and_says_how(text: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(text)
    for run in read_runs(path):
        assert run.meta["columns"]
        assert run.meta["x"] in ("epoch", "step")
        assert isinstance(run.meta["unmapped"], list)
        assert isinstance(run.meta["inferred"], list)
        assert isinstance(run.meta["ambiguous"], list)


def test_names_and_ranks_are_in_order() -> None:
    names = [reader.name for reader in readers()]
    assert len(set(names)) == len(names)
    assert [reader.rank for reader in readers()] == sorted(reader.rank for reader in readers())
