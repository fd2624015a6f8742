"""Sick, healthy, or not known."""

from typing import Literal

from dlcheck.findings import Outcome, Severity

Verdict = Literal["sick", "healthy", "unknown"]

DECISIVE: tuple[frozenset[str], ...] = (
    frozenset({"C401", "C402", "C406", "C409"}),
    frozenset({"C401", "C402", "C406", "M207", "G304", "G306"}),
    frozenset({"D101", "M201", "M206", "M207", "M209"}),
    frozenset({"S602", "S603", "S604"}),
    frozenset({"P501", "P505", "P506", "P513"}),
)
"""Sets of rules that could have told otherwise: one of them wholly clean makes a run healthy.

The first is that of a training: its loss stayed finite, did not diverge, learned, and did not overfit. The second is
that of a training seen from within, which may have no validation: it learned, and its steps were sound. The third
is that of an examination before training: sound inputs, a first loss as it should be, everything that should train
can, and the network learned a small batch by heart. The fourth is that of a search: a gain above retrain noise, from
trials of which most could be used, with a budget that was enough. The fifth is that of a profile: a training that
neither waits for its data nor for cores, in steps whose time has a name.
"""


def verdict(outcome: Outcome) -> Verdict:
    """Return sick with a primary finding of warning or worse, healthy when a decisive set ran clean."""
    if any(finding.primary and finding.severity >= Severity.WARNING for finding in outcome.findings):
        return "sick"
    clean = set(outcome.clean)
    return "healthy" if any(decisive <= clean for decisive in DECISIVE) else "unknown"
