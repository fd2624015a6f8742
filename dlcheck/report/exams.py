"""The table of exams: what was measured, against what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dlcheck.errors import printable

if TYPE_CHECKING:
    from rich.text import Text

Result = Literal["clean", "found", "not checked", "measured"]


@dataclass(frozen=True, slots=True)
class ExamRow:
    """One exam as a report shows it."""

    name: str
    result: Result
    """``measured``: no rule judges it."""
    codes: tuple[str, ...] = ()
    """Rules that judge it."""
    found: tuple[str, ...] = field(default=())
    """Codes of the findings that came of it."""
    number: str = ""
    expected: str = ""
    why: str = ""
    """Why it was not checked."""
    seconds: float = 0.0

    @property
    def told(self) -> str:
        """The result in a few words: the findings' codes where there are any."""
        return ", ".join(self.found) if self.result == "found" else self.result


def exam_table(rows: Sequence[ExamRow], styles: Mapping[str, str], width: int) -> Iterator[Text]:
    """Yield the lines of the table, at most ``width`` wide.

    Args:
        rows: The exams.
        styles: Style of a finding, by its code.
        width: Columns.
    """
    from dlcheck.report.look import SOFT, Cell, Column, table

    lines: list[tuple[Cell, ...]] = []
    for row in rows:
        if row.result == "not checked":
            lines.append((printable(row.name), (row.told, SOFT), (printable(row.why), SOFT)))
        else:
            style = styles.get(row.found[0], "") if row.found else ""
            told = (printable(row.told), style)
            lines.append((printable(row.name), told, printable(row.number), printable(row.expected)))
    yield from table([Column("exam"), Column("result", whole=True), Column("number"), Column("expected")], lines, width)


def time_line(rows: Sequence[ExamRow]) -> str:
    """Return how long the exams took, and which of them most of it."""
    longest = max(rows, key=lambda row: row.seconds)
    total = sum(row.seconds for row in rows)
    count = f"{len(rows)} exam{'' if len(rows) == 1 else 's'} in {total:.1f} s"
    return f"{count}; the longest: {printable(longest.name)}, {longest.seconds:.1f} s" if len(rows) > 1 else count


def exam_objects(rows: Sequence[ExamRow]) -> list[dict[str, object]]:
    """Return the rows as the key ``exams`` of a run in JSON has them."""
    return [
        {
            "name": row.name,
            "result": row.result,
            "codes": list(row.codes),
            "findings": list(row.found),
            "number": row.number,
            "expected": row.expected,
            "why": row.why,
            "seconds": round(row.seconds, 3),
        }
        for row in rows
    ]
