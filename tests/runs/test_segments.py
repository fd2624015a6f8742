"""Where one run ends and the next begins."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.runs.columns import Column, Table
from dlcheck.runs.numerals import is_absent, number
from dlcheck.runs.readers.reader import read_runs
from dlcheck.runs.tables import table_runs

LENGTHS = st.lists(st.integers(2, 8), min_size=1, max_size=6)


def table(**columns: list[float]) -> Table:
    arrays = {name: np.array(values, dtype=np.float64) for name, values in columns.items()}
    rows = len(next(iter(arrays.values())))
    return Table([Column(name, values, ~np.isnan(values)) for name, values in arrays.items()], rows)


@given(lengths=LENGTHS, start=st.integers(0, 3), counter=st.sampled_from(["epoch", "step", "iteration"]))
def test_runs_appended_to_one_log_come_apart_again(lengths: list[int], start: int, counter: str) -> None:
    counts = [float(n) for length in lengths for n in range(start, start + length)]
    runs = table_runs(table(**{counter: counts, "val_loss": list(np.arange(len(counts), dtype=float))}), {})
    assert [len(run.scalars) for run in runs] == lengths
    joined = [value for run in runs for value in run.curve("loss", "val").values]
    assert joined == list(range(len(counts)))


@given(before=st.integers(3, 20), back=st.integers(1, 10), after=st.integers(1, 20))
def test_after_any_resume_each_epoch_stands_once(before: int, back: int, after: int) -> None:
    first = max(1, before - back)
    epochs = [*range(before), *range(first, first + after)]
    values = [float(n) for n in range(len(epochs))]
    (run,) = table_runs(table(epoch=[float(epoch) for epoch in epochs], loss=values), {})
    curve = run.curve("loss")
    assert curve.epochs.tolist() == [*range(first), *range(first, first + after)]
    assert curve.values.tolist() == values[:first] + values[before:]
    assert [event.kind for event in run.events] == ["overlap"]


@given(epochs=st.integers(2, 10), rows=st.integers(2, 20))
def test_steps_that_go_on_through_epochs_are_one_run(epochs: int, rows: int) -> None:
    of_epoch = np.repeat(np.arange(epochs), rows).astype(float).tolist()
    loss = [1.0] * (epochs * rows)
    assert len(table_runs(table(epoch=of_epoch, loss=loss), {})) == 1
    restarting = np.tile(np.arange(rows), epochs).astype(float).tolist()
    (run,) = table_runs(table(epoch=of_epoch, iter=restarting, loss=loss), {})
    steps = run.scalars["step"].to_numpy()
    assert (np.diff(steps) >= 0).all()


def test_a_last_test_row_of_the_same_epoch_is_no_restart() -> None:
    nan = np.nan
    counts = [*map(float, range(10)), 9.0]
    whole = table(epoch=counts, val_loss=[*[1.0] * 10, nan], test_loss=[*[nan] * 10, 0.9])
    (run,) = table_runs(whole, {})
    assert len(run.curve("loss", "val")) == 10
    assert len(run.curve("loss", "test")) == 1
    assert run.events == ()


def test_a_counter_that_falls_all_the_time_counts_something_else() -> None:
    zigzag = [float(n % 2) for n in range(40)]
    assert len(table_runs(table(step=zigzag, loss=[1.0] * 40), {})) == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("92.6%", 92.6),
        ("tensor(0.5, device='cuda:0')", 0.5),
        ("1,234.5", 1234.5),
        (" 7 ", 7),
        (".5", 0.5),
    ],
)
def test_numbers_as_they_are_written(text: str, value: float) -> None:
    assert number(text) == value


def test_what_is_no_number() -> None:
    assert number("1,5", ",") == 1.5
    assert [number(text) for text in ("", "x", "1_000", "1.2.3", "[0.1, 0.2]", "--")] == [None] * 6
    assert all(np.isnan(number(text) or 0) for text in ("nan", "NaN", "-nan", "-1.#IND", "tensor(nan)", '"nan"'))
    assert all(is_absent(text) for text in ("", "NA", "None", "null", " - "))


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_none(text: str) -> None:
    found = number(text)
    assert found is None or isinstance(found, float)


def test_one_word_late_in_a_long_log_spoils_only_its_cell(tmp_path: Path) -> None:
    rows = [f"{n},{1 / (n + 1):.6f},0.125" for n in range(300_000)]
    rows[290_000] = "290000,oops,nan"
    path = tmp_path / "log.csv"
    path.write_text("step,loss,val_loss\n" + "\n".join(rows) + "\n")
    (run,) = read_runs(path)
    assert len(run.curve("loss")) == len(rows) - 1
    assert run.curve("loss").values[-1] == pytest.approx(1 / 300_000, abs=1e-6)
    val = run.curve("loss", "val").values
    assert np.flatnonzero(np.isnan(val)).tolist() == [290_000]
    assert [event.detail["row"] for event in run.events] == [290_000]


def test_speed_and_size_of_a_long_log(tmp_path: Path) -> None:
    count = 20_000
    rows = "".join(f"{n},{n // 100},{1 / (n + 1):.6f},,0.1\n" for n in range(count))
    path = tmp_path / "log.csv"
    path.write_text("step,epoch,train_loss,val_loss,lr\n" + rows)
    (run,) = read_runs(path)
    assert len(run.scalars) == 2 * count
    assert run.scalars.memory_usage(deep=True).sum() < 5 * path.stat().st_size
