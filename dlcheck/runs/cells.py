"""A column of cells as text: numbers, words, and the three states of a missing one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dlcheck.runs.columns import Column, Mask
from dlcheck.runs.numerals import is_absent, number
from dlcheck.runs.run import Event, Numbers

_MOST_WORDS = 0.1  # share of cells with words from which a column is one of words
_MOST_EVENTS = 20


def cell_column(
    name: str, cells: "pd.Series[str] | Sequence[object]", decimal: str = "."
) -> tuple[Column | None, list[Event]]:
    """Return a column of numbers, and an event for each cell that is neither number nor absent.

    Args:
        name: The column's name.
        cells: Text, numbers, and None or NaN where a cell is absent.
        decimal: The sign between whole and fraction.

    Returns:
        None for the column when more than a tenth of its cells are words, or all are absent.
    """
    series = cells if isinstance(cells, pd.Series) else pd.Series(list(cells), dtype=object)
    values, present = _quick(series) if decimal == "." else _none_yet(series)
    left = np.flatnonzero(present & np.isnan(values))
    codes, distinct = pd.factorize(series.iloc[left].astype(str))
    spelled = [None if is_absent(text) else number(text, decimal) for text in distinct]
    is_word = np.array(
        [found is None and not is_absent(text) for found, text in zip(spelled, distinct, strict=True)], bool
    )
    values[left] = np.array([np.nan if found is None else found for found in spelled], np.float64)[codes]
    present[left] = np.array([found is not None for found in spelled], bool)[codes]
    words = left[is_word[codes]].tolist()
    if not present.any() or len(words) > _MOST_WORDS * (present.sum() + len(words)):
        return None, []
    return Column(name, values, present), _events(name, series, words)


def _quick(
    series: "pd.Series[str]",
) -> tuple[Numbers, Mask]:
    try:
        plain = pd.to_numeric(series, errors="coerce")
    except OverflowError:  # an integer beyond all floats
        return _none_yet(series)
    return plain.to_numpy(np.float64, na_value=np.nan).copy(), series.notna().to_numpy().copy()


def _none_yet(
    series: "pd.Series[str]",
) -> tuple[Numbers, Mask]:
    return np.full(len(series), np.nan), series.notna().to_numpy().copy()


def _events(name: str, series: "pd.Series[str]", words: list[int]) -> list[Event]:
    told = [
        Event("bad-record", detail={"row": row, "column": name, "found": str(series.iat[row])[:40]})
        for row in words[:_MOST_EVENTS]
    ]
    if len(words) > _MOST_EVENTS:
        told.append(Event("bad-record", detail={"column": name, "more": len(words) - _MOST_EVENTS}))
    return told
