"""Columns of a table as numbers, with what is learnt for it taken from the training rows only."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dlcheck.components.data.csv_file import numbers
from dlcheck.components.data.samples import Index
from dlcheck.errors import DlcheckError

if TYPE_CHECKING:
    import pandas as pd

MOSTLY = 0.9
"""Share of a text column's values that are numbers from which the others count as mistakes."""
MOST_CATEGORIES = 100
"""Different texts in a column that become columns of their own; more are names or codes of single rows."""


def encode_features(
    frame: "pd.DataFrame", columns: Sequence[str], train: Index, where: str
) -> tuple[npt.NDArray[np.float32], tuple[str, ...], list[str]]:
    """Return (rows, columns) of finite float32, the columns' names, and notes on what was filled or expanded.

    Missing numbers become the median of the training rows. A text column becomes a 0/1 column for each text that
    training rows have; other texts, and missing ones, are 0 in all of them.

    Raises:
        DlcheckError: a value that is no number, a column without values, or of too many texts.
    """
    parts: list[npt.NDArray[np.float32]] = []
    notes: list[str] = []
    for name in columns:
        column = frame[name]
        if _is_text(column):
            parts.append(_one_hot(column, train, where, notes))
        else:
            parts.append(_filled(numbers(column, where), train, where, notes)[:, None])
    names = tuple(name for name, part in zip(columns, parts, strict=True) for _ in range(part.shape[1]))
    return np.concatenate(parts, axis=1), names, notes


def _is_text(column: "pd.Series") -> bool:
    import pandas as pd
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_numeric_dtype(column) or is_bool_dtype(column):
        return False
    present = column.dropna()
    return bool(pd.to_numeric(present, errors="coerce").notna().mean() < MOSTLY)


def _filled(values: "pd.Series", train: Index, where: str, notes: list[str]) -> npt.NDArray[np.float32]:
    known = values.iloc[train].dropna()
    if known.empty:
        raise DlcheckError(
            f"{where}: column {values.name!r} has no values in the training rows; leave it out: data.drop"
        )
    absent = int(values.isna().sum())
    if absent:
        median = float(known.median())
        values = values.fillna(median)
        notes.append(f"{absent} missing values of column {values.name!r} are its training median, {median:g}")
    with np.errstate(over="ignore"):
        filled = values.to_numpy(np.float32)
    if not np.isfinite(filled).all():
        row = int(np.argmin(np.isfinite(filled)))
        raise DlcheckError(f"{where}: column {values.name!r}, row {row + 1}: too large for single precision")
    return filled


def _one_hot(column: "pd.Series", train: Index, where: str, notes: list[str]) -> npt.NDArray[np.float32]:
    texts = column.astype("object").where(column.notna(), None)
    categories = sorted({str(text) for text in texts.iloc[train] if text is not None})
    if not 0 < len(categories) <= MOST_CATEGORIES:
        raise DlcheckError(
            f"{where}: column {column.name!r} has {len(categories)} different texts in the training rows; 1 to "
            f"{MOST_CATEGORIES} can become columns; leave it out: data.drop"
        )
    notes.append(f"text column {column.name!r} became {len(categories)} columns of 0 and 1")
    values = np.asarray([str(text) if text is not None else "" for text in texts], dtype=object)
    known = np.asarray([text is not None for text in texts])
    return np.stack([(values == name) & known for name in categories], axis=1).astype(np.float32)
