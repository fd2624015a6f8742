"""What one rule makes of a run, or of a fact alone."""

from dlcheck.findings import Finding, NotChecked, Severity
from dlcheck.rules import diagnose
from dlcheck.runs import Run
from dlcheck.runs.facts import Fact
from tests.rules.fact_runs import fact_run


def found(known: Run | Fact, code: str, **thresholds: float) -> Finding | None:
    """Return the rule's one finding, None where it is clean."""
    outcome = diagnose(_run(known), select=[code], thresholds={code: thresholds})
    assert outcome.crashed == ()
    assert outcome.not_checked == ()
    assert len(outcome.findings) <= 1
    return next(iter(outcome.findings), None)


def severity(known: Run | Fact, code: str) -> Severity | None:
    finding = found(known, code)
    return finding.severity if finding else None


def unchecked(known: Run | Fact, code: str) -> NotChecked:
    """Return what the rule says that it lacks."""
    outcome = diagnose(_run(known), select=[code])
    assert outcome.crashed == ()
    (lacking,) = outcome.not_checked
    return lacking


def why(known: Run | Fact, code: str) -> str:
    return unchecked(known, code).why


def _run(known: Run | Fact) -> Run:
    return known if isinstance(known, Run) else fact_run(known)
