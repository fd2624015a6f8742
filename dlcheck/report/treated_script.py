"""What treating a script came to: the prescription of each finding, and what a mended copy showed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlcheck.findings import Finding
from dlcheck.report.report import Report


@dataclass(frozen=True, slots=True)
class Prescription:
    """What to do about one finding."""

    finding: Finding
    text: str
    """In words."""
    diff: str = ""
    """The edit that it suggests, unified; empty where the place is not certain."""
    exact: bool = False
    """A fault of usage whose edit is certain: --apply makes it in a copy."""
    applied: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """One signal, measured in the script as it is and in the mended copy."""

    signal: str
    before: float | None
    after: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class ScriptTreated:
    """A whole treatment of a script."""

    name: str
    folder: Path
    before: Report
    prescriptions: tuple[Prescription, ...]
    after: Report | None = None
    """Of the mended copy; None where there is none, or it did not run."""
    copies: tuple[Path, ...] = ()
    """Of the files that were edited; the originals are as they were."""
    compared: tuple[Compared, ...] = ()
    status: int = 0
    """Exit status of the script itself; the copy's, where that failed alone."""
    notes: tuple[str, ...] = ()
