"""Columns that are the label under another name."""

from typing import TYPE_CHECKING

from dlcheck.checks.starter.columns import Column
from dlcheck.checks.starter.label import Label

if TYPE_CHECKING:
    import pandas as pd

LEAST_ROWS = 20
"""Fewer rows may agree by chance."""
EQUAL = 0.99999
"""Correlation with a target from which a column is the target, in another unit."""


def same_as_label(frame: "pd.DataFrame", columns: list[Column], label: Label) -> dict[str, str]:
    """Return columns that hold the label itself, with the reason: one value of theirs for each class, or r = 1."""
    if len(frame) < LEAST_ROWS:
        return {}
    target = frame[label.name]
    if label.task == "classification":
        classes = target.nunique()
        same = [c for c in columns if c.distinct == classes and not c.missing and _one_to_one(frame[c.name], target)]
        return {c.name: f"one value for each value of {label.name}: the label under another name" for c in same}
    numbers = [c for c in columns if c.kind == "number" and c.std]
    same = [c for c in numbers if abs(frame[c.name].corr(target)) > EQUAL]
    return {c.name: f"follows {label.name} exactly: the target in another unit" for c in same}


def _one_to_one(column: "pd.Series", target: "pd.Series") -> bool:
    import pandas as pd

    return len(pd.DataFrame({"a": column.astype(str), "b": target.astype(str)}).drop_duplicates()) == target.nunique()
