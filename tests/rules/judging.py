"""What one rule makes of a run, or of a fact alone."""

from dlcheck.findings import Finding, NotChecked, Severity
from dlcheck.rules import diagnose
from dlcheck.rules.speed.bound import Bound, bound
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


def severities(run: Run) -> dict[str, Severity]:
    """Return what the rules on speed make of a run, by code."""
    return {finding.code: finding.severity for finding in diagnose(run, select=["P"]).findings}


def told(*facts: Fact) -> Bound:
    """Return what a training with these facts is bound by."""
    return bound(fact_run(*facts))


def _run(known: Run | Fact) -> Run:
    return known if isinstance(known, Run) else fact_run(known)
