"""A live log: findings as they become certain, and those that turn out wrong withdrawn aloud."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dlcheck.diagnosis.query import Query
from dlcheck.findings import Finding, Severity
from dlcheck.report.report import Report
from dlcheck.report.triage import Triage
from dlcheck.runs.intake import MOST_ENTRIES, files_below

EXACT = 0.99
"""Confidence from which one evaluation is enough; below it two in a row must agree."""
OF_THE_END = frozenset({"C412", "R703", "R704"})
"""Rules that speak of how a log ends, which of a live one says nothing."""
SHARE = 10
"""Looking at the log takes at most one part in ``SHARE`` of one core, however long the log has become."""

Key = tuple[str, str, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Change:
    """A finding that became certain, or one that was told and is no longer seen."""

    kind: Literal["found", "withdrawn"]
    report: Report
    finding: Finding


@dataclass(frozen=True, slots=True)
class Look:
    """One evaluation of the log, and what changed by it."""

    triage: Triage
    changes: tuple[Change, ...]


@dataclass(slots=True)
class Certainty:
    """What was seen last time, and what was told."""

    _seen: set[Key] = field(default_factory=set)
    _told: dict[Key, tuple[Report, Finding]] = field(default_factory=dict)

    def update(self, reports: Iterable[Report]) -> list[Change]:
        """Take the next evaluation, and return what to tell; a finding that grew more severe is told again."""
        now = {
            _key(report, finding): (report, finding)
            for report in reports
            for finding in report.outcome.findings
            if finding.code not in OF_THE_END
        }
        gone = [Change("withdrawn", *told) for key, told in self._told.items() if key not in now]
        self._told = {key: told for key, told in self._told.items() if key in now}
        certain = {key: item for key, item in now.items() if key in self._seen or item[1].confidence >= EXACT}
        new = [Change("found", *item) for key, item in certain.items() if self._is_news(key, item[1])]
        self._told |= {_key(change.report, change.finding): (change.report, change.finding) for change in new}
        self._seen = set(now)
        return gone + new

    def _is_news(self, key: Key, finding: Finding) -> bool:
        told = self._told.get(key)
        return told is None or finding.severity > told[1].severity


def follow(query: Query, *, interval: float, idle: float | None) -> Iterator[Look]:
    """Evaluate the logs whenever they have grown, until they have not for a while.

    Args:
        query: The logs.
        interval: Seconds between two looks at their sizes, at least.
        idle: Seconds without growth after which to end; None never ends.

    Raises:
        DlcheckError: the settings are wrong.
    """
    certainty, before, grown = Certainty(), None, time.monotonic()
    while True:
        begun = time.monotonic()
        sizes = _sizes(query.paths)
        if sizes != before:
            before, grown = sizes, begun
            triage = Triage(query.examine())
            yield Look(triage, tuple(certainty.update(triage.reports)))
        elif idle is not None and begun - grown >= idle:
            return
        time.sleep(max(interval, (SHARE - 1) * (time.monotonic() - begun)))


def worst(changes: Iterable[Change]) -> Severity | None:
    """Return the severest of the findings that became certain, None without any."""
    return max((change.finding.severity for change in changes if change.kind == "found"), default=None)


def _key(report: Report, finding: Finding) -> Key:
    return report.source, finding.code, finding.where.metric, finding.where.layer


def _sizes(paths: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return size in bytes and time of last change of every file."""
    return {str(file): size for path in paths for file in _files(path) if (size := _size(file)) is not None}


def _files(path: str) -> Iterator[Path]:
    named = Path(path)
    if named.is_dir():
        with suppress(OSError):  # gone, or more than a log has: what it holds is told by the diagnosis
            yield from files_below(named, most=MOST_ENTRIES)
    else:
        yield named


def _size(file: Path) -> tuple[int, int] | None:
    try:
        told = file.stat()
    except OSError:  # gone or not there yet
        return None
    return told.st_size, told.st_mtime_ns
