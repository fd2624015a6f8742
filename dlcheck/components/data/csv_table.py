"""Tables from CSV files."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from dlcheck.components.data.csv_file import numbers, read_csv, require_column
from dlcheck.components.data.encode import encode_features
from dlcheck.components.data.file import require_file
from dlcheck.components.data.label import check_class_count, choose_task
from dlcheck.components.data.samples import Index, TensorSamples
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.components.data.split import Traits, split_indices
from dlcheck.components.info import Task
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import CsvData

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are numbers to predict, unless ``data.task`` says else."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column serves for what."""

    label: str | None
    features: tuple[str, ...]


@DATA.register(CsvData)
def load_csv(section: CsvData, request: Request) -> Source:
    """Load a table; text becomes 0/1 columns, missing numbers the training median.

    Raises:
        DlcheckError: a file missing or unreadable, a column missing or unusable, a value that is no number;
            names file, column and row.
    """
    frame, where = _read(section, request)
    columns = choose_columns(section, frame, where)
    task, target, names = _target(section, frame, columns, where)
    split = section.split
    group = None if split.group is None else require_column(frame, split.group, "data.split.group", where)
    traits = Traits(
        len(frame),
        target if task == "classification" else None,
        None if group is None else _codes(frame[group]),
        None if section.time is None else sortable_times(frame[section.time], where),
    )
    found = split_indices(split, traits, fold=request.fold)
    table, features, notes = encode_features(frame, columns.features, found.train, where)

    def part(index: Index) -> TensorSamples:
        y = torch.from_numpy(target[index])
        return TensorSamples((torch.from_numpy(table[index]),), y, index)

    return Source(
        task,
        part(found.train),
        part(found.val),
        part(found.test),
        outputs=len(names) if task == "classification" else 1,
        class_names=names,
        target_name=columns.label or "",
        feature_names=features,
        notes=(*found.notes, *notes),
    )


def _read(section: CsvData, request: Request) -> tuple["pd.DataFrame", str]:
    """Return all files' rows, one file after the other."""
    import pandas as pd

    paths = [section.path] if isinstance(section.path, str) else section.path
    if not paths:
        raise DlcheckError("data.path: an empty list; at least one file is needed")
    files = [require_file(path, "data.path", request.recipe) for path in paths]
    frames = [read_csv(file, columns=section.columns, separator=section.separator) for file in files]
    for file, frame in zip(files, frames, strict=True):
        odd = sorted(set(frame.columns).symmetric_difference(frames[0].columns))
        if odd:
            raise DlcheckError(f"{file}: column {odd[0]!r} is not in both this file and {files[0]}")
    return pd.concat(frames, ignore_index=True), ", ".join(str(file) for file in files)


def choose_columns(section: CsvData, frame: "pd.DataFrame", where: str) -> Columns:
    """Return the label (the last column when unset) and the features (all others when unset).

    Raises:
        DlcheckError: a named column is missing, no features are left, or the label is among them.
    """
    if not section.separator:
        raise DlcheckError("data.separator: empty; a character is needed")
    for key in ("drop", "features"):
        for name in getattr(section, key) or []:
            require_column(frame, name, f"data.{key}", where)
    used = {section.split.group, section.time}
    others = [name for name in frame.columns if name not in section.drop and name not in used]
    if section.time is not None:
        require_column(frame, section.time, "data.time", where)
    label = section.label
    if label is not None:
        require_column(frame, label, "data.label", where)
    elif section.task != "reconstruction":
        label = next((name for name in reversed(others) if name not in (section.features or [])), None)
        if label is None:
            raise DlcheckError(f"{where}: no column is left to predict; name one with data.label")
    features = section.features if section.features is not None else [name for name in others if name != label]
    if label in features:
        raise DlcheckError(f"data.features: holds the label {label!r}")
    if not features:
        raise DlcheckError(
            f"{where}: no column is left to predict from; is data.separator = {section.separator!r} right?"
        )
    return Columns(label, tuple(features))


def _target(
    section: CsvData, frame: "pd.DataFrame", columns: Columns, where: str
) -> tuple[Task, npt.NDArray[Any], tuple[str, ...]]:
    """Return the task, the target of each row, and the names of classes."""
    if columns.label is None:
        return "reconstruction", np.zeros(len(frame), dtype=np.float32), ()
    column = frame[columns.label]
    empty = np.flatnonzero(column.isna())
    if len(empty):
        raise DlcheckError(f"{where}: column {columns.label!r}, row {empty[0] + 1}: the label is missing")
    task = choose_task(section, looks_like_classes(column))
    if task != "classification":
        return task, numbers(column, where).to_numpy(np.float32)[:, None], ()
    names, codes = np.unique(column.to_numpy(), return_inverse=True)
    check_class_count(len(names), f"{where}: column {columns.label!r}")
    if len(names) > len(column) / 2:
        raise DlcheckError(
            f"{where}: column {columns.label!r} has {len(names)} different values in {len(column)} rows; as classes "
            'they are too many (numbers to predict: data.task = "regression")'
        )
    return task, codes.astype(np.int64), tuple(str(name) for name in names)


def looks_like_classes(column: "pd.Series") -> bool:
    """Return whether ``data.task = "auto"`` takes a label for classes: texts, yes and no, or few whole numbers."""
    from pandas.api.types import is_bool_dtype, is_integer_dtype, is_numeric_dtype

    if is_bool_dtype(column) or not is_numeric_dtype(column):
        return True
    return is_integer_dtype(column) and column.nunique() <= MOST_CLASSES


def _codes(column: "pd.Series") -> npt.NDArray[np.int64]:
    import pandas as pd

    codes, _ = pd.factorize(column, use_na_sentinel=False)
    return codes.astype(np.int64)


def sortable_times(column: "pd.Series", where: str) -> npt.NDArray[Any]:
    """Return a column of numbers or dates as numbers that sort in time.

    Raises:
        DlcheckError: a value is neither; names its row.
    """
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    if is_numeric_dtype(column):
        return numbers(column, where).to_numpy()
    times = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
    bad = np.flatnonzero(times.isna())
    if len(bad):
        raise DlcheckError(f"{where}: column {column.name!r}, row {bad[0] + 1}: {column.iloc[bad[0]]!r} is no date")
    return times.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]").astype(np.int64)
