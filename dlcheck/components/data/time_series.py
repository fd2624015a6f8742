"""One column of a CSV file, cut into windows."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from dlcheck.components.data.csv_file import numbers, read_csv, require_column
from dlcheck.components.data.csv_table import sortable_times
from dlcheck.components.data.file import require_file
from dlcheck.components.data.samples import Index, TensorSamples
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.components.data.split import Traits, split_indices
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import TimeSeriesData

if TYPE_CHECKING:
    import pandas as pd

Series = npt.NDArray[np.float64]


@DATA.register(TimeSeriesData)
def load_time_series(section: TimeSeriesData, request: Request) -> Source:
    """Load windows (window, 1) and the values after them (horizon,), split by time.

    No training window, input or target, reaches a value that validation predicts, and none of validation one
    that the test predicts. Inputs of later windows may reach back: their past is known by then.

    Raises:
        DlcheckError: file or column missing, a value that is no number, too few values, or another split.
    """
    if section.split.method not in ("auto", "time"):
        raise DlcheckError(f'data.split.method = "{section.split.method}": a series is split by time only')
    if section.task not in ("auto", "regression"):
        raise DlcheckError(f'data.task = "{section.task}": a series is predicted; valid: auto, regression')
    path = require_file(section.path, "data.path", request.recipe)
    values, notes = _values(section, read_csv(path), str(path))
    windows = len(values) - section.window - section.horizon + 1
    if windows < 3:
        raise DlcheckError(
            f"{path}: {len(values)} values are too few for windows of {section.window} + {section.horizon}; "
            f"at least {section.window + section.horizon + 2} are needed"
        )
    found = split_indices(section.split, Traits(windows, by_time=True), fold=request.fold)
    parts = [_before(index, section.horizon) for index in (found.train, found.val)]
    if not all(len(index) for index in parts):
        raise DlcheckError(f"{path}: data.horizon = {section.horizon} leaves no windows between the splits")
    filled = _fill(values, [int(index[0]) + section.window for index in (found.val, found.test)], section, notes)
    train, val, test = (_cut(filled, index, section) for index in (*parts, found.test))
    return Source(
        "regression",
        train,
        val,
        test,
        outputs=section.horizon,
        target_name=f"change of {section.column}" if section.difference else section.column,
        notes=(*found.notes, *notes),
    )


def _values(section: TimeSeriesData, frame: "pd.DataFrame", where: str) -> tuple[Series, list[str]]:
    """Return the column in the order of time, gaps as NaN."""
    require_column(frame, section.column, "data.column", where)
    values = numbers(frame[section.column], where).to_numpy()
    if section.time is not None:
        times = sortable_times(frame[require_column(frame, section.time, "data.time", where)], where)
        values = values[np.argsort(times, kind="stable")]
    gaps = np.isnan(values)
    if gaps.all():
        raise DlcheckError(f"{where}: column {section.column!r} has no values")
    if not gaps.any():
        return values, []
    if section.missing == "refuse":
        raise DlcheckError(
            f"{where}: column {section.column!r}, row {int(gaps.argmax()) + 1} is empty; "
            'fill it, or set data.missing = "interpolate"'
        )
    done = "left out" if section.missing == "drop" else "interpolated"
    notes = [f"{int(gaps.sum())} missing values of {section.column!r} were {done}"]
    return (values[~gaps] if section.missing == "drop" else values), notes


def _before(index: Index, horizon: int) -> Index:
    """Leave out the last windows, whose targets overlap the next split's first."""
    return index[: len(index) - horizon + 1]


def _fill(values: Series, bounds: list[int], section: TimeSeriesData, notes: list[str]) -> Series:
    """Interpolate linearly between neighbours, each split by itself, so that none sees the next one's values."""
    filled = values.copy()
    for part in np.split(np.arange(len(values)), bounds):
        known = part[~np.isnan(values[part])]
        if len(known) == 0:
            raise DlcheckError(
                f"{section.path}: column {section.column!r}, rows {part[0] + 1} to {part[-1] + 1} are empty"
            )
        filled[part] = np.interp(part, known, values[known])
    return filled


def _cut(values: Series, index: Index, section: TimeSeriesData) -> TensorSamples:
    inputs = values[index[:, None] + np.arange(section.window)]
    target = values[index[:, None] + section.window + np.arange(section.horizon)]
    if section.difference:
        inputs, target = inputs - inputs[:, -1:], target - inputs[:, -1:]
    return TensorSamples((torch.from_numpy(inputs).float()[..., None],), torch.from_numpy(target).float())
