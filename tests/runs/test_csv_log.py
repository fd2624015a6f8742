import contextlib
import csv
import errno
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.runs.csv_log import CsvLog, numbers, read_table

CELLS = st.one_of(st.none(), st.floats(), st.integers(-(10**12), 10**12))


def filled(path: Path, *rows: tuple[float | None, ...], columns: tuple[str, ...] = ("step", "loss")) -> CsvLog:
    log = CsvLog(path, columns)
    for row in rows:
        log.append(row)
    log.close()
    return log


def read(path: Path, column: str) -> list[float | None]:
    values, present = numbers(read_table(path)[column], path)
    return [float(value) if there else None for value, there in zip(values, present, strict=True)]


def test_three_states_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    filled(path, (1, 0.5), (2, None), (3, math.nan), (4, math.inf), (5, -math.inf))
    assert path.read_text() == "step,loss\n1,0.5\n2,\n3,nan\n4,inf\n5,-inf\n"
    values = read(path, "loss")
    assert values[:2] == [0.5, None]
    assert values[2] is not None
    assert math.isnan(values[2])
    assert values[3:] == [math.inf, -math.inf]


@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_every_number_comes_back_bit_for_bit(tmp_path: Path, rows: list[tuple[float | None, ...]]) -> None:
    path = tmp_path / "any.csv"
    path.unlink(missing_ok=True)
    filled(path, *rows, columns=("a", "b"))
    for place, column in enumerate(("a", "b")):
        expected = [row[place] for row in rows]
        assert repr(read(path, column)) == repr([None if x is None else float(x) for x in expected])


@given(text=st.text(alphabet='0123456789.,naif-\n" \tx', max_size=80))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
def test_any_text_is_read_or_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.csv"
    path.write_text("step,loss\n" + text)
    with contextlib.suppress(DlcheckError):
        values, present = numbers(read_table(path)["loss"], path)
        assert values.shape == present.shape
        assert np.isnan(values[~present]).all()


def test_pandas_reads_it_in_one_line(tmp_path: Path) -> None:
    filled(tmp_path / "steps.csv", (1, 0.25), (2, 0.125))
    assert pd.read_csv(tmp_path / "steps.csv").loss.tolist() == [0.25, 0.125]


def test_numbers_of_numpy_are_written_as_numbers(tmp_path: Path) -> None:
    filled(tmp_path / "steps.csv", (int(np.int64(1)), np.float64(0.1)))
    assert (tmp_path / "steps.csv").read_text().endswith("\n1,0.1\n")


def test_appending_costs_little(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "steps.csv", ("step", "loss", "lr", "grad_norm"), flush_every_s=60)
    best = math.inf
    for _ in range(5):
        begin = time.perf_counter()
        for step in range(2000):
            log.append((step, 0.5, 0.1, 1.5))
        best = min(best, (time.perf_counter() - begin) / 2000)
    assert best < 3e-6


def test_a_quoted_layer_name_comes_back(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "layers.csv", ("step", "layer"))
    log.append((1, 'blocks.0,"a"'))
    log.close()
    assert read_table(log.path)["layer"].tolist() == ['blocks.0,"a"']


def test_rows_reach_the_file_within_the_interval(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "steps.csv", ("step",), flush_every_s=0.0)
    log.append((7,))
    assert (tmp_path / "steps.csv").read_text() == "step\n7\n"


def test_an_existing_log_goes_on_after_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_text("step,loss\n1,0.5\n2,0.")
    filled(path, (2, 0.25))
    assert path.read_text() == "step,loss\n1,0.5\n2,0.25\n"


def test_another_header_is_refused(tmp_path: Path) -> None:
    filled(tmp_path / "steps.csv", (1, 0.5))
    with pytest.raises(DlcheckError, match="has the columns step,loss; expected step,lr"):
        CsvLog(tmp_path / "steps.csv", ("step", "lr"))


def test_a_resume_drops_later_steps_and_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    log = filled(path, (1, 0.5), (2, math.nan), (3, 0.3))
    with path.open("a") as file:
        file.write("4,0")
    log.truncate_after(2)
    log.append((3, 0.25))
    log.close()
    assert path.read_text() == "step,loss\n1,0.5\n2,nan\n3,0.25\n"
    assert [item.name for item in tmp_path.iterdir()] == ["steps.csv"]


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "steps.csv"
    log = filled(path, (1, 0.5))
    log.append((2, 0.25))
    whole_open = Path.open

    class Full:
        """Writes half, then finds the disk full."""

        def __init__(self, file: Any) -> None:
            self.file, self.calls = file, 0

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def seek(self, place: int, whence: int) -> int:
            return int(self.file.seek(place, whence))

        def write(self, content: bytes) -> int:
            self.calls += 1
            if self.calls > 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            return int(self.file.write(content[:2]))

    with monkeypatch.context() as patch:
        patch.setattr(
            Path,
            "open",
            lambda self, mode, **kw: Full(whole_open(self, mode, **kw)) if kw else whole_open(self, mode),
        )
        with pytest.raises(DlcheckError, match="no space left"):
            log.flush()
    assert path.read_text() == "step,loss\n1,0.5\n"
    log.flush()
    assert path.read_text() == "step,loss\n1,0.5\n2,0.25\n"


def test_a_word_among_numbers_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_text("step,loss\n1,0.5\n2,none\n")
    with pytest.raises(DlcheckError, match="line 3: 'none' in column loss is not a number"):
        read(path, "loss")


@pytest.mark.parametrize("rows", ["1,0.5,3\n", "1,2\n1,2,3\n"])
def test_rows_longer_than_the_header_are_refused(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "steps.csv"
    path.write_text("step,loss\n" + rows)
    with pytest.raises(DlcheckError, match="not a table"):
        read_table(path)


def test_a_row_of_the_wrong_length_is_a_fault_of_the_caller(tmp_path: Path) -> None:
    log = CsvLog(tmp_path / "steps.csv", ("step", "loss"))
    log.append((1,))
    with pytest.raises(ValueError, match="needs 2 cells"):
        log.flush()


def test_the_file_is_valid_csv(tmp_path: Path) -> None:
    filled(tmp_path / "steps.csv", (1, 0.5), (2, None))
    with (tmp_path / "steps.csv").open() as file:
        assert list(csv.reader(file)) == [["step", "loss"], ["1", "0.5"], ["2", ""]]
