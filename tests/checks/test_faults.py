"""A planted fault is found and named; what is healthy or meant comes out clean."""

import pytest

from dlcheck.checks.exams import MODEL_EXAMS
from dlcheck.checks.overfit.exam import EXAM as OVERFIT
from dlcheck.findings import Severity
from tests.checks.conftest import Examine, causes
from tests.checks.factories import FAULTS, HEALTHY


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_network_is_clean(name: str, examined: Examine) -> None:
    report = examined(HEALTHY[name])
    assert [f for f in report.outcome.findings if f.severity >= Severity.WARNING] == []
    failed = [row.why for row in report.exams if "Error" in row.why or "time" in row.why]
    assert failed == []


@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_a_cause(name: str, examined: Examine) -> None:
    code, body = FAULTS[name]
    # A batch that cannot be learned takes the whole budget of steps, which is much for a test.
    report = examined(
        body, MODEL_EXAMS if code == "M209" else tuple(exam for exam in MODEL_EXAMS if exam is not OVERFIT)
    )
    assert causes(report) == [code]
    assert report.verdict == "sick"
    row = next(row for row in report.exams if code in row.codes)
    assert row.result == "found"
    assert code in row.told
