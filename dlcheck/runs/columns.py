"""Columns of numbers in the order of a log, and the table that they make."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dlcheck.runs.names import meaning
from dlcheck.runs.run import Event, Numbers

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. A row where ``present`` is False holds nothing; NaN where it is True was logged."""

    name: str
    values: Numbers
    """Shape (rows,)."""
    present: Mask
    """Shape (rows,)."""
    split: str | None = None
    """Said by the records themselves rather than by the name."""

    @property
    def is_curve(self) -> bool:
        """Whether the name is one of a loss or a score."""
        said = meaning(self.name)
        return said is not None and said.kind in ("loss", "metric")


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equal length, and what was seen while reading them."""

    columns: Sequence[Column]
    rows: int
    texts: Sequence[str] = ()
    """Names of columns that hold words."""
    events: Sequence[Event] = ()
    breaks: Sequence[int] = ()
    """Rows before which the log itself says that a new run may begin, as by a second header."""
    inferred: Sequence[str] = ()
    meta: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)


def filled_forward(values: Numbers, present: Mask) -> Numbers:
    """Return values with each absent one replaced by the last before it; NaN before the first."""
    if present.all():
        return values
    last = np.maximum.accumulate(np.where(present, np.arange(len(values)), -1))
    return np.where(last >= 0, values[np.maximum(last, 0)], np.nan)
