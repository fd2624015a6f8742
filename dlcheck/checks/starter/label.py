"""Which column of a table is to be predicted, and whether as a class or as a number."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dlcheck.checks.starter.columns import Column
from dlcheck.components.data.csv_table import looks_like_classes
from dlcheck.errors import DlcheckError, nearest

if TYPE_CHECKING:
    import pandas as pd

Task = Literal["classification", "regression"]
NAMES = (
    *("label", "labels", "target", "class", "y", "outcome", "response", "diagnosis", "species", "category", "survived"),
    *("churn", "default", "fraud", "quality", "price", "saleprice", "salary", "medv", "output", "result"),
)
"""What columns to predict are called, the surest first."""


@dataclass(frozen=True, slots=True)
class Label:
    """The column to predict."""

    name: str
    why: str
    task: Task
    task_why: str


def choose_label(
    frame: "pd.DataFrame", columns: list[Column], where: str, *, label: str | None, task: Task | None
) -> Label:
    """Choose by the user's word, else by the column's name, else by its place.

    Raises:
        DlcheckError: no such column, none that could be predicted, labels missing, or classes that differ in nearly
            every row.
    """
    chosen = {column.name: column for column in columns}
    name, why = _named(label, chosen, where) if label is not None else _guessed(columns, where)
    column = frame[name]
    empty = column.isna().to_numpy().nonzero()[0]
    if len(empty):
        raise DlcheckError(
            f"{where}: column {name!r} to predict is empty in {len(empty)} of {len(column)} rows, first in row "
            f"{empty[0] + 1}; leave these rows out of the file, or name another column with --label"
        )
    if chosen[name].distinct < 2:
        raise DlcheckError(f"{where}: column {name!r} has one value only; name the column to predict with --label")
    found, reason = _task(column, chosen[name], task)
    if found == "classification" and chosen[name].distinct > len(column) / 2:
        raise DlcheckError(
            f"{where}: column {name!r} has {chosen[name].distinct} different values in {len(column)} rows, too many "
            "for classes; name the column to predict with --label, or predict numbers with --task regression"
        )
    if found == "regression" and chosen[name].kind in ("text", "date"):
        raise DlcheckError(f"{where}: --task regression: column {name!r} holds no numbers")
    return Label(name, why, found, reason)


def _named(label: str, chosen: dict[str, Column], where: str) -> tuple[str, str]:
    if label not in chosen:
        raise DlcheckError(f"{where}: no column {label!r} (--label); {nearest(label, chosen, 'it has')}")
    return label, "the column to predict, as you said"


def _guessed(columns: list[Column], where: str) -> tuple[str, str]:
    fit = [column.name for column in columns if not column.useless]
    for word in NAMES:
        name = next((name for name in fit if name.strip().lower() == word), None)
        if name is not None:
            return name, "guessed by its name; another: dlcheck init --label COLUMN"
    if columns and columns[-1].name in fit:
        return columns[-1].name, "guessed: the last column; another: dlcheck init --label COLUMN"
    texts = [column.name for column in columns if column.name in fit and column.kind != "number"]
    if len(texts) == 1:
        return texts[0], "guessed: the only column of classes; another: dlcheck init --label COLUMN"
    if fit:
        return fit[-1], "guessed: the last column of use; another: dlcheck init --label COLUMN"
    raise DlcheckError(f"{where}: no column that could be predicted; name one with --label COLUMN")


def _task(column: "pd.Series", measured: Column, task: Task | None) -> tuple[Task, str]:
    if task is not None:
        return task, "as you said"
    if looks_like_classes(column):
        kind = "whole numbers" if measured.kind == "number" else "values"
        return "classification", f"{measured.distinct} different {kind}: classes (numbers: --task regression)"
    return "regression", f"{measured.distinct:,} different numbers"
