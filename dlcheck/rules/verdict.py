"""Sick, healthy, or not known."""

from typing import Literal

from dlcheck.findings import Outcome, Severity

Verdict = Literal["sick", "healthy", "unknown"]

DECISIVE: tuple[frozenset[str], ...] = (frozenset({"C401", "C402", "C406", "C409"}),)
"""Sets of rules that could have told otherwise: one of them wholly clean makes a run healthy.

The first is that of a training: its loss stayed finite, did not diverge, learned, and did not overfit.
"""


def verdict(outcome: Outcome) -> Verdict:
    """Return sick with a primary finding of warning or worse, healthy when a decisive set ran clean."""
    if any(finding.primary and finding.severity >= Severity.WARNING for finding in outcome.findings):
        return "sick"
    clean = set(outcome.clean)
    return "healthy" if any(decisive <= clean for decisive in DECISIVE) else "unknown"
