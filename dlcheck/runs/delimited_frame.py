"""Cells of delimited text as pandas' parser in C sees them, with NaN kept apart from empty cells."""

import io
import warnings
from dataclasses import replace
from mmap import mmap
from typing import Any

import numpy as np
import pandas as pd

from dlcheck.runs.columns import Column
from dlcheck.runs.table_head import TableHead

EXACT: dict[str, Any] = (
    {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}
)
"""What ``read_csv`` needs to read numbers as they are written; from pandas 3.1 on it does, and refuses to be asked."""
_STAND_IN = b"7e307"  # no log holds it, and it is short


def parsed_frame(source: bytes | str, header: TableHead, names: list[str]) -> pd.DataFrame | None:
    """Read by pandas' parser in C; None where a row has more cells than the header.

    Args:
        source: Text, or the absolute path of a file, which pandas from 3.1 on parses on all cores.
        header: The header of the text, which is skipped.
        names: Names to use, each once.
    """
    for in_pieces in (True, False):  # in pieces is faster, where a column is of one kind in all of them
        try:
            return _parsed(source, header, names, in_pieces=in_pieces)
        except pd.errors.DtypeWarning:
            continue
        except (pd.errors.ParserError, pd.errors.EmptyDataError, Warning, OSError, ValueError, OverflowError):
            return None
    return None


def _parsed(source: bytes | str, header: TableHead, names: list[str], *, in_pieces: bool) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame: pd.DataFrame = pd.read_csv(
            io.BytesIO(source) if isinstance(source, bytes) else source,
            sep=header.separator,
            decimal=header.decimal,
            names=names,
            header=None,
            skiprows=header.skip + 1,
            index_col=False,
            keep_default_na=False,
            na_values=[""],
            skipinitialspace=True,
            low_memory=in_pieces,
            encoding_errors="replace",
            compression=None,
            **EXACT,
        )
    return frame


def may_hold_nan(content: bytes | mmap, header: TableHead) -> bool:
    """Return False where no cell below the header can be a word for NaN."""
    start = 0
    for _ in range(header.skip + 1):
        start = content.find(b"\n", start) + 1
    return any(content.find(letter, start) >= 0 for letter in (b"n", b"N"))  # a letter is found faster than a word


def with_stand_in(content: bytes, header: TableHead) -> bytes:
    """Put a number in place of each cell ``nan``, so that its column is parsed as numbers.

    To pandas' parser in C ``nan`` is either the same as an empty cell, or a word that makes text of the column,
    which takes ten times as long.
    """
    separator = header.separator.encode()
    if not may_hold_nan(content, header):
        return content
    for word in (b"nan", b"NaN", b"NAN"):
        if separator + word not in content:
            continue
        for end in (separator, b"\n", b"\r"):
            for _ in range(2):  # cells next to each other share a separator
                content = content.replace(separator + word + end, separator + _STAND_IN + end)
    return content


def restored(column: Column) -> Column:
    """Return a column with NaN where the stand-in is."""
    if np.fmax.reduce(column.values, initial=0.0) < 0.99 * float(_STAND_IN):
        return column
    stands = np.isclose(column.values, float(_STAND_IN), rtol=1e-9, atol=0.0)
    return replace(column, values=np.where(stands, np.nan, column.values))
