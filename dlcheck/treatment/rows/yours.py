"""What no key of a recipe cures: honest words, and the samples that they are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dlcheck.checks.exam import Skipped
from dlcheck.errors import DlcheckError, one_line
from dlcheck.findings import Finding, Severity
from dlcheck.recipe import LoadedRecipe
from dlcheck.report.report import Report
from dlcheck.report.treated import Yours
from dlcheck.treatment.rows.case import Case
from dlcheck.treatment.rows.labels import class_rows, doubted_rows, outside_rows, sample_rows, shifted_rows
from dlcheck.treatment.rows.leaks import leak_rows, telling_rows
from dlcheck.treatment.rows.table import Row, write_rows
from dlcheck.treatment.rows.values import constant_rows, nonfinite_rows, shifted_features

MOST_ROWS = 20_000
"""Rows of one CSV; more are not looked through one by one."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A fault of data: how its rows are found, and what is left to the reader."""

    text: str
    rows: Callable[[Case], list[Row]] | None = None
    softened: bool = False
    """A key may soften it, as class weights do; it is the reader's only where no key is left."""


KINDS: dict[str, Kind] = {
    "D101": Kind("fill these values in from the training samples, or drop the samples", nonfinite_rows),
    "D103": Kind("leave these features out, or repair what should have filled them", constant_rows, softened=True),
    "D104": Kind("renumber these labels from 0 without gaps, or drop the samples", outside_rows),
    "D105": Kind("collect more samples of the rare classes; judge by the score of each class", class_rows, True),
    "D106": Kind("drop these copies, or split again with all copies of a sample in one split", leak_rows),
    "D107": Kind("prepare both splits by the same code, or draw them again", shifted_features),
    "D108": Kind("validate on more samples: 600 know an accuracy within 4 points, 2,400 within 2"),
    "D110": Kind("pair inputs and labels again by a key, not by position; look at these samples first", sample_rows),
    "D111": Kind("evaluate without augmentation: validation must read the same twice"),
    "D112": Kind("pair inputs and labels again by a key, not by position", shifted_rows),
    "D113": Kind("leave the feature out unless it is known before the answer; the score will fall", telling_rows),
    "D114": Kind("seed each worker's own generator in the data set"),
    "D115": Kind("look through these labels, and correct or drop what is wrong", doubted_rows),
    "C418": Kind("look for inputs that tell the answer, and drop the samples that both splits share", leak_rows),
}
"""By code. 600 and 2,400 samples: 95 % interval of a binomial share of one half."""


def is_yours(finding: Finding) -> bool:
    """Return whether a finding is left to the reader: it counts, and no key of a recipe cures it.

    Keys that change the validation data itself (``data.split``, ``data.limit``) cure nothing that could be measured,
    nor do those that only soften a fault of the data.
    """
    if not finding.primary or finding.severity < Severity.WARNING:
        return False
    kind = KINDS.get(finding.code)
    if kind is not None and not kind.softened:
        return True
    return not any(_cures(path) for remedy in finding.remedies for path in remedy.patch)


def _cures(path: str) -> bool:
    return not path.startswith(("data.split", "data.limit"))


def yours(report: Report, loaded: LoadedRecipe, folder: Path, *, device: str = "cpu") -> tuple[Yours, ...]:
    """Return what is left to the reader of a diagnosis, each with the rows it is about, as ``rows-CODE.csv``.

    Args:
        report: Diagnosis; its findings for which ``is_yours`` holds are taken.
        loaded: The recipe it is of. Its data is read again; nothing of it is changed.
        folder: Where the CSV files go. A file that is there already stays.
        device: Where the recipe's model is built, as ``train`` takes it.

    Raises:
        DlcheckError: a CSV cannot be written.
    """
    found: list[Yours] = []
    case: Case | None = None
    for finding in report.outcome.findings:
        if is_yours(finding):
            case = Case(finding, report.run, loaded, device) if case is None else case.about(finding)
            found.append(_one(case, folder))
    return tuple(found)


def _one(case: Case, folder: Path) -> Yours:
    finding, kind = case.finding, KINDS.get(case.finding.code)
    if kind is None:
        return Yours(finding, _in_words(finding))
    if kind.rows is None:
        return Yours(finding, kind.text)
    try:
        rows = kind.rows(case)
    except (DlcheckError, Skipped) as reason:
        return Yours(finding, f"{kind.text}; its rows cannot be listed: {one_line(reason)}")
    if not rows:
        return Yours(finding, kind.text)
    written = write_rows(folder, f"rows-{finding.code}", rows[:MOST_ROWS])
    more = f" (the first {MOST_ROWS:,} of {len(rows):,} are listed)" if len(rows) > MOST_ROWS else ""
    return Yours(finding, kind.text + more, written, min(len(rows), MOST_ROWS))


def _in_words(finding: Finding) -> str:
    """Return the first remedies that are no keys."""
    said = [remedy.text for remedy in finding.remedies if not remedy.patch][:2]
    return "; ".join(said) or "no key of a recipe cures this"
