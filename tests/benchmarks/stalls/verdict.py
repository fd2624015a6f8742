"""What one tool said about one case, and the file in which all of it is kept."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FAILED = "failed"
"""Class of an answer that never came."""
NOTHING = "none"
"""Class of an answer that names no bottleneck."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer, in our classes."""

    coarse: str
    """One of ``COARSE``, ``inconclusive``, ``none`` or ``failed``."""
    cause: str = ""
    """Root cause as dlcheck words it; empty: none was named."""
    confidence: float | None = None
    blamed: tuple[str, ...] = ()
    """Codes of findings of warning or worse; for a peer its own words for what it warns of."""
    words: str = ""
    """Of the tool itself, as evidence."""
    seconds: float = 0.0
    """That it took."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What it measured: shares of the parts of a step, ceilings and the like."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file: a tool on a case, or a measurement without a tool."""

    section: str
    name: str
    tool: str
    verdict: Verdict | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    pressure: float | None = None
    """Of the machine before it began, per cent."""

    @property
    def key(self) -> str:
        """Tells it from all others."""
        return f"{self.section} {self.name} {self.tool}"


class Store:
    """Rows in a file of JSON lines: an interrupted benchmark goes on where it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():  # a torn last line would spoil the next one
            whole = path.read_bytes()
            path.write_bytes(whole[: whole.rfind(b"\n") + 1])

    def rows(self) -> dict[str, Row]:
        """Return what is there by key; of several with one key the last."""
        found: dict[str, Row] = {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(json.JSONDecodeError, TypeError):
                    row = _row(json.loads(line))
                    found[row.key] = row
        return found

    def add(self, row: Row) -> None:
        """Append a row."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")

    def section(self, name: str) -> list[Row]:
        """Return the rows of a section."""
        return [row for row in self.rows().values() if row.section == name]

    def missing(self, section: str, names: Sequence[str], tool: str) -> list[str]:
        """Return the names that this tool has not yet been asked about."""
        known = self.rows()
        return [name for name in names if Row(section, name, tool).key not in known]


def _row(found: dict[str, Any]) -> Row:
    verdict = found.pop("verdict")
    if verdict is not None:
        verdict = Verdict(**{**verdict, "blamed": tuple(verdict["blamed"])})
    return Row(**found, verdict=verdict)
