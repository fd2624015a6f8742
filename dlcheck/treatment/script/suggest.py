"""From findings to prescriptions: words, and the edit where its place is certain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dlcheck.findings import Finding
from dlcheck.report.report import Report
from dlcheck.report.treated_script import Prescription
from dlcheck.treatment.judge import causes
from dlcheck.treatment.script.settings import item, learning_rate, shuffling
from dlcheck.treatment.script.source import Edit, Source, unified
from dlcheck.treatment.script.usage import eval_mode, no_squash, train_mode, zero_grad

Make = Callable[[Source, Finding], list[Edit] | None]
EXACT: Mapping[str, Make] = {"G306": zero_grad, "M206": no_squash, "M212": eval_mode, "M213": train_mode}
"""Faults of usage: these edits are made in a copy when asked for."""
SUGGESTED: Mapping[str, Make] = {
    **dict.fromkeys(("C401", "C404", "C405", "G302", "G304", "G305", "G310"), learning_rate),
    "D109": shuffling,
    "G311": item,
}
SURE = 0.9
"""Confidence below which no edit is exact."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A prescription with its edits."""

    prescription: Prescription
    source: Source | None = None
    edits: tuple[Edit, ...] = ()


def suggestions(report: Report, script: Path) -> list[Suggestion]:
    """Return what to do about each cause that is a warning or worse, the worst first.

    Args:
        report: Of the script, watched.
        script: Its file; a file that a finding names is edited only where it lies in the same folder.
    """
    return [_suggestion(finding, script) for finding in causes(report)]


def _suggestion(finding: Finding, script: Path) -> Suggestion:
    text = finding.remedies[0].text if finding.remedies else f"read dlcheck explain {finding.code}"
    make = EXACT.get(finding.code) or SUGGESTED.get(finding.code)
    source = _file(finding, script)
    edits = make(source, finding) if make is not None and source is not None else None
    after = source.edited(edits) if source is not None and edits else None
    if source is None or after is None or not edits:
        return Suggestion(Prescription(finding, text))
    exact = finding.code in EXACT and finding.confidence >= SURE
    diff = unified(source, after, source.path.name)
    return Suggestion(Prescription(finding, text, diff, exact), source, tuple(edits))


def _file(finding: Finding, script: Path) -> Source | None:
    """Return the file that a finding is about, the script where it names none."""
    path = Path(finding.where.file) if finding.where.file else script
    folder = script.resolve().parent
    whole = path.resolve() if path.is_absolute() or path.exists() else (folder / path).resolve()
    # A module of a package would not be found by its name in another folder.
    if whole.parent != folder or not whole.is_file():
        return None
    return Source.read(whole)
