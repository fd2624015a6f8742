"""A recipe for a time series: a date and one number a row."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcheck.checks.starter.amounts import Parts, batch_size, epochs
from dlcheck.checks.starter.columns import Column, dates_of, in_time_order
from dlcheck.checks.starter.sections import HEAD, RATE, Length, clipped, optimizer_tables, train_table
from dlcheck.components.data.split import evaluation_size
from dlcheck.recipe.starter import Line, Starter, Table

if TYPE_CHECKING:
    import pandas as pd

LEAST = 100
"""Fewer values make too few windows."""
CYCLES = ((1.5 / 24, 48, "two days of hours"), (1.5, 28, "four weeks of days"), (8, 52, "a year of weeks"))
"""Days between two values at most, values in a window, and what that is."""
MONTHS = (24, "two years of months or quarters")
DRIFT = 1.0
"""Standard deviations between the mean of the first and the last third from which a series has a trend."""


def series_starter(path: Path, frame: "pd.DataFrame", columns: list[Column], *, named: bool) -> Starter | None:
    """Return a recipe where a file is a time series, None where it is a table."""
    dates = [column for column in columns if column.kind == "date"]
    values = [column for column in columns if column.kind == "number" and not column.useless]
    if not named or len(columns) != 2 or len(dates) != 1 or len(values) != 1 or len(frame) < LEAST:
        return None
    if not in_time_order(frame[dates[0].name]):
        return None
    return _starter(path, frame, dates[0], values[0])


def _starter(path: Path, frame: "pd.DataFrame", date: Column, value: Column) -> Starter:
    window, cycle, days = _cycle(frame[date.name])
    drift = _drift(frame[value.name])
    data = [
        Line(
            "name", "time_series", f"{len(frame):,} values, one in {days:.3g} days: windows of the past, then the next"
        ),
        Line("path", str(path)),
        Line("column", value.name, f"from {value.low:.4g} to {value.high:.4g}"),
        Line("time", date.name, "orders the rows; the split is by time: the future never trains"),
        Line("window", window, f"values that the network sees: {cycle}"),
        Line("horizon", 1, "values ahead that it predicts"),
    ]
    if drift > DRIFT:
        why = f"the last third lies {drift:.1f} standard deviations off the first: values relative to now have no trend"
        data.append(Line("difference", True, why))
    if value.missing:
        data.append(Line("missing", "interpolate", f"{value.missing:,} values are missing"))
    held = evaluation_size(len(frame) - window)
    parts = Parts(len(frame) - window - 2 * held, held, held)
    batch = batch_size(parts.train)
    count = epochs(parts.train, batch, steps=1500, least=5, most=60)
    return Starter(
        source=str(path),
        kind="series",
        told=(
            ("values", f"{len(frame):,} of {value.name}, one in {days:.3g} days"),
            (
                "range",
                f"{value.low:.4g} to {value.high:.4g}, mean {value.mean:.4g}, standard deviation {value.std:.4g}",
            ),
            ("trend", f"last third {drift:.1f} standard deviations off the first"),
            ("missing", f"{value.missing:,} values"),
        ),
        measures=_measures(frame, value, days, drift),
        tables=(
            Table("data", tuple(data)),
            Table("model", (Line("name", "gru", "reads a window value by value"), Line("hidden", 32))),
            Table("loss", (Line("name", "mse", f"mean squared error of the standardised {value.name}"),)),
            *optimizer_tables(0.003, 0.01, RATE),
            clipped(train_table(Length(count, batch, max(5, count // 3)), parts.train, "windows")),
        ),
        head=(*HEAD, f"A table instead of a series: dlcheck init {path} --label {value.name}"),
    )


def _cycle(dates: "pd.Series") -> tuple[int, str, float]:
    days = float(dates_of(dates).diff().dt.total_seconds().median()) / 86_400
    for most, window, words in CYCLES:
        if days <= most:
            return window, words, days
    return *MONTHS, days


def _drift(values: "pd.Series") -> float:
    third = len(values) // 3
    first, last = values.iloc[:third], values.iloc[-third:]
    spread = float((first.std() + last.std()) / 2)
    return abs(float(last.mean() - first.mean())) / spread if spread > 0 else 0.0


def _measures(frame: "pd.DataFrame", value: Column, days: float, drift: float) -> dict[str, Any]:
    return {
        "values": len(frame),
        "column": value.name,
        "days_between": days,
        "drift": drift,
        "missing": value.missing,
        "low": value.low,
        "high": value.high,
        "mean": value.mean,
        "std": value.std,
    }
