"""Tables of many megabytes are read from the disk by parts; what they hold must not depend on it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlcheck.runs import delimited
from dlcheck.runs.columns import Table
from dlcheck.runs.delimited import read_delimited
from dlcheck.runs.run import Part, scalar_frame

ROWS = 300_000
FEW = 30_000
HEADER = "step,loss,val_loss"
LINES = [f"{n},{1 / (n + 1):.6f},{'' if n % 7 else 0.125}" for n in range(ROWS)]
ODD: dict[str, str] = {
    "a row too long": "200000,1,2,3",
    "a row too short": "200000",
    "a word": "200000,oops,0.5",
    "not a number": "200000,nan,0.5",
    "infinite": "200000,-inf,0.5",
    "beyond floats": f"{'9' * 400},1e999,7e307",
    "no UTF-8": "200000,\udcff,0.5",
    "a header again": HEADER,
    "blank lines": "\n\n",
    "quoted": '"200000","0.5","0.25"',
}
"""One line after two thirds of the table."""
SPELLED: dict[str, Callable[[str], str]] = {
    "numbers": lambda text: text,
    "no last line's end": lambda text: text.rstrip("\n"),
    "torn": lambda text: text + "300000",
    "zeros at the end": lambda text: text + "\0\0\0",
    "lines of Windows": lambda text: text.replace("\n", "\r\n"),
    "byte-order mark": lambda text: "\ufeff" + text,
    "semicolons": lambda text: text.replace(",", ";").replace(".", ","),
}


def _content(kind: str, rows: int) -> bytes:
    lines = LINES[:rows]
    if kind in ODD:
        lines[2 * rows // 3] = ODD[kind]
    text = "\n".join([HEADER, *lines, ""])
    return SPELLED.get(kind, SPELLED["numbers"])(text).encode("utf-8", "surrogateescape")


def _read(path: Path, *, settled: bool) -> Table:
    """Read a file as one that nobody has written to for long, or as one of this moment."""
    written = time.time() - (3600 if settled else -3600)
    os.utime(path, (written, written))
    return read_delimited(path)


@pytest.mark.parametrize("rows", [FEW, pytest.param(ROWS, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", [*SPELLED, *ODD])
def test_a_settled_file_holds_what_one_still_written_to_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, rows: int
) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(_content(kind, rows))
    if rows == FEW:
        monkeypatch.setattr(delimited, "_LONG", 400_000)
    assert path.stat().st_size >= delimited._LONG
    settled, written = _read(path, settled=True), _read(path, settled=False)
    assert [column.name for column in settled.columns] == [column.name for column in written.columns]
    for one, other in zip(settled.columns, written.columns, strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.present, other.present)
    assert (settled.rows, settled.texts, settled.breaks) == (written.rows, written.texts, written.breaks)
    assert settled.events == written.events


def test_cells_of_a_settled_file_are_those_that_were_written(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("\n".join([HEADER, *LINES, "300000"]))
    table = _read(path, settled=True)
    step, loss, val = table.columns
    assert table.rows == ROWS
    assert [event.kind for event in table.events] == ["truncated"]
    np.testing.assert_array_equal(step.values, np.arange(ROWS))
    np.testing.assert_allclose(loss.values, 1 / np.arange(1, ROWS + 1), atol=1e-6)
    np.testing.assert_array_equal(val.present, np.arange(ROWS) % 7 == 0)


def test_a_file_that_grows_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.csv"
    path.write_text("\n".join([HEADER, *LINES, ""]))
    parse = pd.read_csv

    def grown(source: object, **options: object) -> pd.DataFrame:
        if isinstance(source, str):
            with path.open("a") as file:
                file.write("300000,0.5,0.5\n300001,0.5,0.")
        return parse(source, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(pd, "read_csv", grown)
    assert _read(path, settled=True).rows == ROWS + 2


@pytest.mark.parametrize("known", [True, False])
def test_what_no_series_knows_is_nan_on_every_row(known: bool) -> None:
    steps = np.arange(3.0) if known else None
    frame = scalar_frame([Part("train", "loss", np.ones(3), steps), Part("val", "loss", np.zeros(2))])
    assert frame[["epoch", "wall_s"]].isna().to_numpy().all()
    assert frame["step"].isna().tolist() == [not known] * 3 + [True] * 2
    changed = frame.copy()
    changed.loc[0, "epoch"] = 5.0  # one row, not the NaN that all rows share
    changed.loc[changed["split"] == "val", "wall_s"] = 2.0
    assert changed["epoch"].isna().sum() == 4
    assert changed["wall_s"].isna().sum() == 3
    assert frame["wall_s"].isna().all()
