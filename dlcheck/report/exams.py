"""The table of exams: what was measured, against what was expected."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

Result = Literal["clean", "found", "not checked", "measured"]

GAP = "  "
MOST_NAME = 30
MOST_RESULT = 16
SHORTEST = 8


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


def exam_lines(rows: Sequence[ExamRow], width: int) -> Iterator[tuple[str, Result | None]]:
    """Yield the lines of the table and the result that each shows; None for the heading.

    Columns are aligned, lines at most ``width`` wide; what does not fit is cut.
    """
    name = min(max(len(row.name) for row in rows), MOST_NAME)
    told = min(max(*(len(row.told) for row in rows), len("result")), MOST_RESULT)
    rest = max(width - 1 - name - told - 3 * len(GAP), 2 * SHORTEST)
    wanted = max((len(row.expected) for row in rows if row.result != "not checked"), default=SHORTEST)
    expected = max(min(wanted, rest // 2), SHORTEST)
    number = rest - expected
    widths = (name, told, number, expected)
    yield _line(("exam", "result", "number", "expected"), widths), None
    for row in rows:
        if row.result == "not checked":
            yield _line((row.name, row.told, row.why), (name, told, rest + len(GAP))), row.result
        else:
            yield _line((row.name, row.told, row.number, row.expected), widths), row.result


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


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(_cut(cell, width).ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
