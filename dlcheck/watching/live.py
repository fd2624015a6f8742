"""Findings while a script runs: told once certain, and, if asked for, the end of a hopeless run."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

from dlcheck.findings import Finding, Outcome, Severity
from dlcheck.runs import Run
from dlcheck.watching.execute import Stopped
from dlcheck.watching.observer import Observer
from dlcheck.watching.session import Session

SHARE = 20.0
"""A look may take 1/20 of the time: the next one comes after 20 times as long as it took."""
EXACT = 0.95
"""Confidence from which one look is enough; others must be seen in two looks running."""
LATE = ("C407", "C408", "C410", "C411", "C412", "C417", "C405", "G305", "G312", "R7", "M207", "M216")
"""Rules that judge a whole run: they say nothing of one that goes on."""


@dataclass(slots=True)
class Live:
    """Judges the run so far now and then, between two steps."""

    session: Session
    tell: bool = True
    stop_on: str | None = None
    _before: set[tuple[str, str | None]] = field(default_factory=set)
    _told: set[tuple[str, str | None]] = field(default_factory=set)
    _next: float = 0.0

    def __call__(self, observer: Observer) -> None:
        """Look, if it is time to.

        Raises:
            Stopped: a finding at or above ``stop_on`` is certain.
        """
        begun = time.monotonic()
        if begun < self._next:
            return
        first, fresh = not self._next, self._fresh(observer)
        ended = time.monotonic()
        # The first look imports the rules, which the report at the end needs anyway: it tells nothing of the next one.
        self._next = ended if first else ended + SHARE * (ended - begun)
        for finding in fresh:
            if self.tell:
                self._print(finding)
            if self.stop_on is not None and finding.severity >= Severity[self.stop_on.upper()]:
                raise Stopped

    def _fresh(self, observer: Observer) -> list[Finding]:
        from dlcheck.diagnosis import examine

        observer.put_facts(finished=False)
        observer.flush()
        report = examine(self.session.run(), str(self.session.folder.path), self.session.settings)
        found = {(one.code, one.where.layer): one for one in report.outcome.findings if not one.code.startswith(LATE)}
        sure = [
            one
            for key, one in found.items()
            if one.severity > Severity.INFO
            and (key in self._before or one.confidence >= EXACT)
            and key not in self._told
        ]
        self._before = set(found)
        self._told |= {(one.code, one.where.layer) for one in sure}
        return sure

    def _print(self, finding: Finding) -> None:
        from dlcheck.report.live import change_line
        from dlcheck.report.report import Report

        report = Report(str(self.session.folder.path), Run(), Outcome((finding,)), "sick")
        print(change_line("found", report, finding, "text"), file=sys.stderr)
