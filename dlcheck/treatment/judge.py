"""What a run is found to have, and which of it a treatment takes on; needs no PyTorch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlcheck.diagnosis.examine import examine
from dlcheck.diagnosis.settings import Settings, project_settings
from dlcheck.findings import Finding, Severity
from dlcheck.report.report import Report
from dlcheck.rules.gradients.unusual_setting import unusual_setting
from dlcheck.rules.present import present
from dlcheck.rules.unusual import restoring
from dlcheck.runs import Run, read_run

FAMILIES = "DMGC"
"""Data, model, gradients, curves. What keeps the device waiting is no sickness of the network."""


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
    return replace(examine(run, name, settings, project_settings(Path.cwd())), path=str(folder))


def causes(report: Report) -> list[Finding]:
    """Return the causes that are a warning or worse, the worst first."""
    found = _of_network(report)
    return [one for one in found if one.primary and one.severity >= Severity.WARNING]


def treatable(report: Report) -> list[Finding]:
    """Return the findings that a treatment takes on, the worst first.

    Those are causes that are a warning or worse; then those worth knowing only for which a key of the recipe lies far
    from where it usually does: two signs that agree, and nothing is kept without a proof.
    """
    known = present(report.run)
    told = [one for one in _of_network(report) if one.severity < Severity.WARNING]
    return [*causes(report), *(one for one in told if restoring(known, one.code) or one.code == unusual_setting.code)]


def sick(report: Report) -> bool:
    """Return whether something is found that is a warning or worse."""
    return bool(causes(report))


def _of_network(report: Report) -> list[Finding]:
    return [one for one in report.outcome.findings if one.code[0] in FAMILIES]
