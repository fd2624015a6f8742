"""CSV files as pandas frames, with every failure on one line."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.runs.numerals import is_plain_number

if TYPE_CHECKING:
    import pandas as pd

MISSING = ["?"]
"""Marks of missing values beside those of pandas (empty, NA, NaN, …)."""


def read_csv(
    path: Path, *, columns: Sequence[str] | None = None, separator: str = ",", rows: int | None = None
) -> "pd.DataFrame":
    """Return a file's rows, or only the first ``rows``; ``columns`` names them when there is no header line.

    Raises:
        DlcheckError: unreadable, no rows, repeated names, or as many names as there are columns are not given.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # mixed columns are judged later, by value
            frame = pd.read_csv(
                path,
                sep=separator,
                header=0 if columns is None else None,
                na_values=MISSING,
                skipinitialspace=True,
                index_col=False,
                nrows=rows,
            )
    except Exception as error:  # the parser raises its own errors, and others on damaged files
        raise DlcheckError(f"{path}: cannot be read as CSV: {one_line(error)}") from None
    if columns is not None:
        frame = _named(frame, columns, path)
    if frame.empty:
        raise DlcheckError(f"{path}: no rows")
    frame.columns = pd.Index([str(name).strip() for name in frame.columns])
    if columns is None and len(frame.columns) > 1 and all(is_plain_number(name) for name in frame.columns):
        raise DlcheckError(f"{path}: the first line holds numbers, no names; name the columns with data.columns")
    return frame


def _named(frame: "pd.DataFrame", columns: Sequence[str], path: Path) -> "pd.DataFrame":
    import pandas as pd

    if len(columns) != frame.shape[1]:
        raise DlcheckError(f"{path}: {frame.shape[1]} columns, but data.columns has {len(columns)} names")
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if list(columns).count(name) > 1)
        raise DlcheckError(f"data.columns: the name {twice!r} stands there twice")
    frame.columns = pd.Index(list(columns))
    return frame


def require_column(frame: "pd.DataFrame", name: str, key: str, where: str) -> str:
    """Return ``name``.

    Raises:
        DlcheckError: the frame has no such column; names the nearest.
    """
    if name not in frame.columns:
        raise DlcheckError(f"{where}: no column {name!r} ({key}); {nearest(name, frame.columns, 'it has')}")
    return name


def numbers(column: "pd.Series", where: str) -> "pd.Series":
    """Return a column as float64, missing values as NaN.

    Raises:
        DlcheckError: a value is no finite number; names the column and the row, counted from 1 after the header.
    """
    import numpy as np
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").astype("float64")
    bad = np.flatnonzero((values.isna() & column.notna()) | np.isinf(values))
    if len(bad):
        raise DlcheckError(
            f"{where}: column {column.name!r}, row {bad[0] + 1}: {column.iloc[bad[0]]!r} is no finite number"
        )
    return values
