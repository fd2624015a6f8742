"""Examinations of small networks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dlcheck.checks.admit import admit_factory
from dlcheck.checks.exam import Exam
from dlcheck.checks.examine import examine
from dlcheck.checks.exams import MODEL_EXAMS
from dlcheck.checks.patient import Patient
from dlcheck.findings import Severity
from dlcheck.report.report import Report
from tests.checks.factories import write_factory

Examine = Callable[..., Report]


@pytest.fixture
def admit(tmp_path: Path) -> Callable[[str], Patient]:
    """Return a function that makes a patient of the body of a factory."""
    return lambda body: admit_factory(write_factory(tmp_path, body), folder=tmp_path)


@pytest.fixture
def examined(admit: Callable[[str], Patient]) -> Examine:
    """Return a function that examines the model that a factory's body makes."""

    def run(body: str, exams: tuple[Exam, ...] = MODEL_EXAMS) -> Report:
        report = examine(admit(body), exams=exams, limit_s=30.0)
        assert not report.outcome.crashed
        return report

    return run


def causes(report: Report) -> list[str]:
    """Return the codes of the findings that nothing else explains and that count as sick."""
    found = report.outcome.findings
    return [finding.code for finding in found if finding.primary and finding.severity >= Severity.WARNING]
