"""Many runs at once: the sickest first, and how often each rule found something."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dlcheck.findings import Finding
from dlcheck.report.report import Report
from dlcheck.runs.discover import Refused

_ORDER = ("sick", "unknown", "healthy")
WITH_CURVES = 50
"""Worst runs that keep their curves; of the others only what the rules said is kept."""


@dataclass(frozen=True, slots=True)
class RuleCount:
    """In how many runs a rule found something."""

    code: str
    name: str
    runs: int


class Triage:
    """Judged runs, sorted from the sickest to the healthiest, and what could not be read."""

    def __init__(self, items: Iterable[Report | Refused] = (), *, with_curves: int = WITH_CURVES) -> None:
        """Take items one by one, holding the curves of the worst ``with_curves`` runs only."""
        self.refused: list[Refused] = []
        self._reports: list[Report] = []
        self._with_curves = with_curves
        self._full = 0
        for item in items:
            self.add(item)

    def add(self, item: Report | Refused) -> None:
        """Add a run, or a file that could not be read."""
        if isinstance(item, Refused):
            self.refused.append(item)
            return
        self._reports.append(item)
        self._full += 1
        if self._full >= 2 * self._with_curves + 2:
            self._shed()

    @property
    def reports(self) -> list[Report]:
        """All runs, the sickest first, runs as sick as each other in the order of their sources."""
        self._shed()
        return list(self._reports)

    @property
    def rules(self) -> list[RuleCount]:
        """How many runs each rule found something in, the most frequent first."""
        names = {finding.code: finding.name for report in self._reports for finding in report.outcome.findings}
        runs = Counter(code for report in self._reports for code in {item.code for item in report.outcome.findings})
        ordered = sorted(runs.items(), key=lambda item: (-item[1], item[0]))
        return [RuleCount(code, names[code], count) for code, count in ordered]

    @property
    def headline(self) -> str:
        """How many runs are how, in one line."""
        verdicts = Counter(report.verdict for report in self._reports)
        told = ", ".join(f"{verdicts[word]} {word}" for word in ("sick", "healthy", "unknown"))
        lost = f"; {len(self.refused)} not read" if self.refused else ""
        return f"{len(self._reports)} runs: {told}{lost}"

    def _shed(self) -> None:
        self._reports.sort(key=_badness)
        kept, others = self._reports[: self._with_curves], self._reports[self._with_curves :]
        self._reports = [*kept, *(report.without_signals if len(report.run.scalars) else report for report in others)]
        self._full = len(kept)


def worst_finding(report: Report) -> Finding | None:
    """Return the finding that weighs most: a cause before what it explains, then by severity and confidence."""
    findings = report.outcome.findings
    return min(findings, key=lambda item: (not item.primary, -item.severity, -item.confidence), default=None)


def _badness(report: Report) -> tuple[int, int, float, int, str]:
    worst = worst_finding(report)
    severity = worst.severity if worst is not None else 0
    confidence = worst.confidence if worst is not None else 0.0
    return _ORDER.index(report.verdict), -severity, -confidence, -len(report.outcome.findings), report.source
