"""A recipe for a table in a CSV file."""

import csv
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcheck.checks.starter.amounts import Parts, divided
from dlcheck.checks.starter.classes import Classes, told
from dlcheck.checks.starter.columns import Column, in_time_order, is_group, measure_column
from dlcheck.checks.starter.label import Label, Task, choose_label
from dlcheck.checks.starter.mlp import mlp_tables
from dlcheck.checks.starter.related import same_as_label
from dlcheck.checks.starter.sections import (
    HEAD,
    RATE,
    optimizer_tables,
    split_table,
    weights_table,
)
from dlcheck.checks.starter.series import series_starter
from dlcheck.components.data.csv_file import read_csv
from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe.starter import Line, Starter, Table
from dlcheck.runs.numerals import is_plain_number

if TYPE_CHECKING:
    import pandas as pd

LARGE_BYTES = 256 * 2**20
MOST_ROWS = 500_000
"""Rows that are looked at in a file of more than ``LARGE_BYTES``."""
SEPARATORS = (",", ";", "\t", "|")
HEAVY = 3.0
"""Excess kurtosis of a target from which squares of its outliers would rule the loss (Laplace's law has 3)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written: what stands between its cells, and names for columns that have none."""

    separator: str
    names: tuple[str, ...] | None


def table_starter(path: Path, *, label: str | None, task: Task | None) -> Starter:
    """Measure a table, or a time series where there is a date and one number a row, and write a recipe for it.

    Raises:
        DlcheckError: unreadable, or nothing to learn or to learn from.
    """
    layout = find_layout(path)
    large = path.stat().st_size > LARGE_BYTES
    frame = read_csv(path, columns=layout.names, separator=layout.separator, rows=MOST_ROWS if large else None)
    columns = [measure_column(frame[name]) for name in frame.columns]
    if label is None and task is None and layout.separator == ",":
        series = series_starter(path, frame, columns, named=layout.names is None)
        if series is not None:
            return series
    chosen = choose_label(frame, columns, str(path), label=label, task=task)
    return _Draft(path, layout, frame, columns, chosen, large).starter()


def find_layout(path: Path) -> Layout:
    """Look at the first lines of a file: cells between commas, semicolons, tabs or bars; numbers are no header.

    Raises:
        DlcheckError: unreadable, or empty.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line, _ in zip(file, range(20), strict=False) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DlcheckError(f"{path}: cannot read as UTF-8 text: {one_line(error)}") from None
    if not lines:
        raise DlcheckError(f"{path}: empty; a table with a line of names and rows under it is needed")
    separator = max(SEPARATORS, key=lambda sign: _cells(lines, sign))
    head = _split(lines[0], separator)
    named = not any(is_plain_number(cell) for cell in head)
    return Layout(separator, None if named else tuple(f"column_{place}" for place in range(len(head))))


def _split(line: str, separator: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]
    except csv.Error:
        return []


def _cells(lines: list[str], separator: str) -> int:
    """Return how many cells each line has, 0 where lines differ."""
    counts = {len(_split(line, separator)) for line in lines}
    return counts.pop() if len(counts) == 1 else 0


class _Draft:
    """All that is known of a table while its recipe is written."""

    def __init__(
        self, path: Path, layout: Layout, frame: "pd.DataFrame", columns: list[Column], label: Label, partly: bool
    ) -> None:
        self.path, self.layout, self.frame, self.label, self.partly = path, layout, frame, label, partly
        self.columns = {column.name: column for column in columns}
        others = [column for column in columns if column.name != label.name]
        self.group = next((c.name for c in others if is_group(frame[c.name], c)), None)
        self.time = next((c.name for c in others if c.kind == "date" and in_time_order(frame[c.name])), None)
        if self.group is not None:
            self.time = None
        self.dropped = {c.name: c.useless for c in others if c.useless and c.name not in (self.group, self.time)}
        alike = [c for c in others if c.name not in self.dropped and c.name not in (self.group, self.time)]
        self.dropped |= same_as_label(frame, alike, label)
        self.features = [c for c in alike if c.name not in self.dropped]
        if not self.features:
            raise DlcheckError(
                f"{path}: no column is left to predict {label.name!r} from; separator {layout.separator!r}"
            )
        self.classes = _classes(frame[label.name]) if label.task == "classification" else None
        self.parts: Parts = divided(len(frame))
        self.repeats = int(frame.duplicated().sum())

    def starter(self) -> Starter:
        """Return the recipe with what it rests on."""
        outputs = len(self.classes.names) if self.classes else 1
        model, train = mlp_tables(self.parts.train, self._width(), outputs, "rows")
        return Starter(
            source=str(self.path),
            kind="table",
            told=self._told(),
            measures=self._measures(),
            tables=(
                self._data(),
                *split_table(self.parts, classes=self.classes, group=self.group, by_time=self.time is not None),
                model,
                *(weights_table(self.classes) or self._loss()),
                *optimizer_tables(0.002, 0.01, RATE),
                train,
            ),
            heed=self._heed(),
            head=HEAD,
        )

    def _data(self) -> Table:
        separator = self.layout.separator
        lines = [Line("name", "csv"), Line("path", str(self.path), self._rows())]
        if separator != ",":
            lines.append(Line("separator", separator))
        if self.layout.names is not None:
            lines.append(Line("columns", self.layout.names, "the file has no header line: the columns by their place"))
        lines.append(Line("label", self.label.name, self.label.why))
        lines.append(Line("task", self.label.task, self.label.task_why))
        if self.time is not None:
            lines.append(Line("time", self.time, "orders the rows"))
        if self.dropped:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.dropped.items())
            lines.append(Line("drop", tuple(self.dropped), f"left out. {reasons}"))
        lines.append(Line("normalize", "standardize", self._scales()))
        return Table("data", tuple(lines), self._feature_notes())

    def _rows(self) -> str:
        return f"the first {len(self.frame):,} rows were looked at" if self.partly else f"{len(self.frame):,} rows"

    def _feature_notes(self) -> tuple[str, ...]:
        notes = []
        texts = [c for c in self.features if c.kind == "text"]
        if texts:
            names = ", ".join(f"{c.name} ({c.distinct})" for c in texts)
            notes.append(f"Texts become columns of 0 and 1, one for each value: {names}.")
        missing = [c for c in self.features if c.missing]
        if missing:
            names = ", ".join(f"{c.name} ({c.missing:,})" for c in missing[:8])
            more = f" and {len(missing) - 8} more columns" if len(missing) > 8 else ""
            notes.append(f"Missing numbers become the median of the training rows: {names}{more}.")
        return tuple(notes)

    def _scales(self) -> str:
        spreads = [c.std for c in self.features if c.std]
        if not spreads:
            return "with the training rows' own mean and spread"
        reach = f"from {min(spreads):.2g} to {max(spreads):.2g}"
        return f"columns' standard deviations reach {reach}: each is scaled by that of its training rows"

    def _width(self) -> int:
        return sum(c.distinct if c.kind == "text" else 1 for c in self.features)

    def _loss(self) -> tuple[Table, ...]:
        if self.classes is not None:
            return ()
        target = self.frame[self.label.name]
        measured = self.columns[self.label.name]
        notes = (
            f"The target reaches from {measured.low:.4g} to {measured.high:.4g}, mean {measured.mean:.4g}, standard "
            f"deviation {measured.std:.4g}: training standardises it, and tells errors in its own unit.",
        )
        heavy = float(target.astype("float64").kurt())  # type: ignore[arg-type]
        if math.isfinite(heavy) and heavy > HEAVY:
            why = f"square for small errors, straight for large ones: excess kurtosis {heavy:.1f}, there are outliers"
            return (Table("loss", (Line("name", "huber", why),), notes),)
        return (Table("loss", (Line("name", "mse", "mean squared error"),), notes),)

    def _heed(self) -> tuple[str, ...]:
        if not self.repeats:
            return ()
        return (
            f"{self.repeats:,} of {len(self.frame):,} rows repeat another exactly, and may lie on both sides of the "
            "split: dlcheck check tells how many do",
        )

    def _told(self) -> tuple[tuple[str, str], ...]:
        target = self.columns[self.label.name]
        told_of = (
            told(self.classes) if self.classes else f"{target.low:.4g} to {target.high:.4g}, mean {target.mean:.4g}"
        )
        rows = [
            ("rows", self._rows().replace(" rows", "")),
            ("to predict", f"{self.label.name} ({self.label.task}; {self.label.why.split(';')[0]})"),
            ("target", told_of),
            ("predicted from", f"{len(self.features)} columns, {self._width()} numbers"),
        ]
        rows += [("left out", f"{name}: {why}") for name, why in self.dropped.items()]
        missing = sum(c.missing for c in self.features)
        rows += [("missing", f"{missing:,} values")] if missing else []
        rows += [("repeated rows", f"{self.repeats:,}")] if self.repeats else []
        rows += [("kept together", f"rows of one {self.group}")] if self.group else []
        rows += [("in order of", self.time)] if self.time else []
        return tuple(rows)

    def _measures(self) -> dict[str, Any]:
        return {
            "rows": len(self.frame),
            "all_rows": not self.partly,
            "separator": self.layout.separator,
            "header": self.layout.names is None,
            "label": asdict(self.label),
            "classes": dict(zip(self.classes.names, self.classes.counts, strict=True)) if self.classes else None,
            "columns": [asdict(column) for column in self.columns.values()],
            "features": [column.name for column in self.features],
            "dropped": self.dropped,
            "group": self.group,
            "time": self.time,
            "repeated_rows": self.repeats,
            "parts": {"train": self.parts.train, "val": self.parts.val, "test": self.parts.test},
        }


def _classes(column: "pd.Series") -> Classes:
    """Return the classes in the order of the loader: sorted by value."""
    counts = column.value_counts().sort_index()
    return Classes(tuple(str(name) for name in counts.index), tuple(int(count) for count in counts))
