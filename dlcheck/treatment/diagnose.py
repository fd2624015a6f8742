"""The diagnosis that a treatment begins and ends with: what exam and training showed, judged as one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlcheck.checks.admit import admit_recipe
from dlcheck.checks.examine import examine
from dlcheck.diagnosis.examine import examine as judge
from dlcheck.diagnosis.settings import Settings, project_settings
from dlcheck.errors import DlcheckError
from dlcheck.findings import Finding, Severity
from dlcheck.monitor.record import Record
from dlcheck.recipe import LoadedRecipe
from dlcheck.report.report import Report
from dlcheck.rules.present import present
from dlcheck.rules.unusual import restoring
from dlcheck.runs import Run, read_run

EXAM_S = 12.0
"""Seconds for the exam; the training shows the rest."""


def examined(loaded: LoadedRecipe, *, device: str, settings: Settings) -> Run:
    """Return what the exam before training measures, in ``EXAM_S`` seconds at most."""
    record = Record(None)
    examine(admit_recipe(loaded, device), record=record, settings=settings, limit_s=EXAM_S)
    return record.run()


def judged(folder: Path, exam: Run | None, name: str, settings: Settings) -> Report:
    """Judge a finished run together with what its exam measured.

    Args:
        folder: The run's.
        exam: As ``examined`` returned it; None: the training alone.
        name: For the report.
        settings: Of the person who asks.

    Raises:
        DlcheckError: the folder cannot be read.
    """
    run = read_run(folder)
    if exam is not None:
        run = replace(run, facts={**exam.facts, **run.facts})
    return replace(judge(run, name, settings, project_settings(Path.cwd())), path=str(folder))


UNUSUAL = "G319"
FAMILIES = "DMGC"
"""Data, model, gradients, curves. What keeps the device waiting is no sickness of the network."""


def treatable(report: Report) -> list[Finding]:
    """Return the findings that a treatment takes on, the worst first.

    Those are causes that are a warning or worse; then those worth knowing only for which a key of the recipe lies far
    from where it usually does: two signs that agree, and nothing is kept without a proof.
    """
    known = present(report.run)
    found = [one for one in report.outcome.findings if one.code[0] in FAMILIES]
    worse = [one for one in found if one.primary and one.severity >= Severity.WARNING]
    known_only = [one for one in found if one.severity < Severity.WARNING]
    return [*worse, *(one for one in known_only if restoring(known, one.code) or one.code == UNUSUAL)]


def sick(report: Report) -> bool:
    """Return whether something is found that is a warning or worse."""
    return any(one.severity >= Severity.WARNING for one in treatable(report))


def refuse_untreatable(loaded: LoadedRecipe) -> None:
    """Refuse what cannot be compared, before any work is done for it.

    Raises:
        DlcheckError: a recipe that cross-validates, or has no validation data.
    """
    split = loaded.recipe.data.split
    if split.folds is not None:
        raise DlcheckError(
            "data.split.folds: dlcheck treat compares single trainings; leave it out, or --set data.split.folds none"
        )
    if split.val == 0:
        raise DlcheckError("data.split.val: dlcheck treat compares on validation data; give it a share above 0")
