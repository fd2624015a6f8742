"""What each column of a table holds, and which ones nothing can be learnt from."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dlcheck.components.data.encode import MOST_CATEGORIES, MOSTLY
from dlcheck.errors import printable

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["number", "yes/no", "text", "date"]
DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?\s*$")
KEY = re.compile(r"(^|[_\W])(id|ids|uuid|guid|index|idx|key|rowid|row)$|^unnamed: \d+$|[a-z](ID|Id)$", re.ASCII)
PERSON = re.compile(
    r"(patient|subject|user|customer|person|participant|session|group|household|client|device|speaker|student|animal|"
    r"family|case|visit|vehicle|machine)s?([_\W]?(id|no|nr|number|code))?$",
    re.ASCII | re.IGNORECASE,
)
MOSTLY_MISSING = 0.5
"""Share of missing values from which a column is left out: most of what a network saw would be its median."""
UNIQUE = 0.95
"""Share of different values from which a column that is called a key is one."""
GROUPS = 10
"""Fewest different values of a column that the split can go by."""
CALENDAR = (16_000_101, 22_001_231)
"""Between which whole numbers may be dates written as 19580329: years that pandas counts in nanoseconds."""
DAYS = 3
"""Fewest different days that make a column of whole numbers one of dates: of other numbers one in 27 reads as a day."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as measured; numbers of a text column are None."""

    name: str
    kind: Kind
    missing: int
    distinct: int
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: float | None = None
    useless: str = ""
    """Why it is left out; empty where it is not."""


def measure_column(column: "pd.Series") -> Column:
    """Measure a column, and say why it should be left out where it should.

    Left out: constants, dates, keys of single rows, free text, numbers among which others stand, infinities, and
    what is missing in more than half of the rows.
    """
    import numpy as np

    kind, name = kind_of(column), str(column.name)
    missing, distinct, rows = int(column.isna().sum()), int(column.nunique()), len(column)
    numbers = _numbers(column) if kind == "number" else None
    low = high = mean = std = None
    if numbers is not None and numbers.notna().any():
        finite = numbers[np.isfinite(numbers)]
        if len(finite):
            low, high, mean, std = float(finite.min()), float(finite.max()), float(finite.mean()), float(finite.std())
    useless = _useless(column, kind, missing, distinct, numbers) if rows else ""
    return Column(name, kind, missing, distinct, low, high, mean, std, useless)


def kind_of(column: "pd.Series") -> Kind:
    """Return what a column's values are; numbers as the loader takes them: nine in ten values are."""
    import pandas as pd
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if is_bool_dtype(column):
        return "yes/no"
    if is_numeric_dtype(column):
        return "date" if _are_days(column.dropna()) else "number"
    present = column.dropna().astype(str)
    some = present.iloc[:: max(1, len(present) // 500)]
    if len(some) and some.str.match(DATE).mean() > MOSTLY and dates_of(some).notna().mean() > MOSTLY:
        return "date"
    return "number" if pd.to_numeric(present, errors="coerce").notna().mean() >= MOSTLY else "text"


def _are_days(present: "pd.Series") -> bool:
    """Return whether numbers are days written as 19580329, every one of them."""
    if not len(present) or not present.between(*CALENDAR).all() or (present % 1 != 0).any():
        return False
    return int(present.nunique()) >= DAYS and bool(dates_of(present).notna().all())


def dates_of(column: "pd.Series") -> "pd.Series":
    """Return a column's dates; what is none, as no date. Of numbers, those written as 19580329."""
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    if is_numeric_dtype(column):
        return pd.to_datetime(column.astype("Int64").astype("string"), errors="coerce", utc=True, format="%Y%m%d")
    return pd.to_datetime(column, errors="coerce", utc=True, format="mixed")


def in_time_order(column: "pd.Series") -> bool:
    """Return whether a column of dates never goes back from row to row."""
    dates = dates_of(column)
    return bool(dates.notna().all() and dates.is_monotonic_increasing and dates.nunique() > len(dates) / 10)


def _numbers(column: "pd.Series") -> "pd.Series":
    import pandas as pd

    return pd.to_numeric(column, errors="coerce").astype("float64")


def _useless(column: "pd.Series", kind: Kind, missing: int, distinct: int, numbers: "pd.Series | None") -> str:
    import numpy as np

    rows = len(column)
    if missing > MOSTLY_MISSING * rows:
        return f"missing in {missing:,} of {rows:,} rows"
    if distinct == 1 and not missing:
        return "the same value in every row"
    if numbers is not None:
        wrong = np.flatnonzero((numbers.isna() & column.notna()) | np.isinf(numbers))
        if len(wrong):
            value = printable(repr(column.iloc[wrong[0]]))
            return f"row {wrong[0] + 1} holds {value[:40]}, no finite number"
    if kind == "date":
        return "dates: networks need numbers made of them, as day of the year"
    if _is_key(column, distinct):
        return "another value in nearly every row: a key, not a measurement"
    if kind == "text" and distinct > min(MOST_CATEGORIES, rows / 2):
        return f"{distinct:,} different texts, too many to be categories"
    return ""


def _is_key(column: "pd.Series", distinct: int) -> bool:
    from pandas.api.types import is_integer_dtype

    present = len(column.dropna())
    if present < GROUPS or distinct < UNIQUE * present:
        return False
    if KEY.search(str(column.name)) or PERSON.search(str(column.name)):
        return True
    # A count from 0 or 1 upwards, whatever it is called, is the number of the row.
    return bool(is_integer_dtype(column) and column.iloc[0] in (0, 1) and (column.diff().iloc[1:] == 1).all())


def is_group(column: "pd.Series", measured: Column) -> bool:
    """Return whether a column tells whose rows belong together: called like a person or key, each with several rows."""
    from pandas.api.types import is_float_dtype

    name = measured.name
    called = bool(PERSON.search(name) or (KEY.search(name) and not re.match(r"unnamed", name, re.IGNORECASE)))
    several = GROUPS <= measured.distinct <= len(column) / 2
    return called and several and measured.kind in ("number", "text") and not is_float_dtype(column)
