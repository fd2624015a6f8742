"""A pandas table as runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dlcheck.errors import DlcheckError
from dlcheck.runs import Run
from dlcheck.runs.columns import Column, Table
from dlcheck.runs.tables import table_runs

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "dataframe"


def frame_runs(frame: pd.DataFrame, names: Mapping[str, str]) -> list[Run]:
    """Return the runs in a table with a row for each epoch or step and a column for each curve.

    In columns of pandas' nullable numbers or of objects, NA and None are absent and NaN is NaN. Plain numbers
    know only NaN: where numbers come after it, it is taken for absent, and to the end of a column for NaN.

    Args:
        frame: The table.
        names: Column by the name of a signal, as ``{"val_loss": "ce"}``.

    Raises:
        DlcheckError: no column is a loss or a score.
    """
    table = frame.reset_index() if frame.index.name else frame
    columns = [_column(str(name), table.iloc[:, place]) for place, name in enumerate(table.columns)]
    kept = [column for column in columns if column is not None]
    texts = [str(name) for name, column in zip(table.columns, columns, strict=True) if column is None]
    unclear = [_unclear(column.name) for column in kept if not column.present.all()]
    try:
        runs = table_runs(Table(kept, len(table), texts, inferred=unclear), names)
    except DlcheckError as error:
        raise DlcheckError(f"the table: {error}") from None
    return [replace(run, meta={"format": FORMAT, **run.meta}) for run in runs]


def _column(name: str, values: pd.Series[Any]) -> Column | None:
    import pandas as pd

    present = ~values.isna().to_numpy()
    if values.dtype == object:
        cells = values.tolist()
        present = np.array([cell is not None and cell is not pd.NA for cell in cells], dtype=np.bool_)
        if any(isinstance(cell, str) for cell in cells):
            return None
    elif not pd.api.types.is_numeric_dtype(values.dtype):
        return None
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if isinstance(values.dtype, np.dtype) and values.dtype != object:
        present = _logged(numbers)
    return Column(name, numbers, present)


def _logged(numbers: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which values of a column that knows no NA were logged."""
    missing = np.isnan(numbers)
    known = np.flatnonzero(~missing)
    if len(known) and missing[: known[-1]].any():
        return ~missing
    return np.ones(len(numbers), dtype=bool)


def _unclear(name: str) -> str:
    return f"NaN in column {name!r} is taken for not logged, as numbers come after it"
