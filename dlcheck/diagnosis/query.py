"""What a person asks to have diagnosed: from paths to judged runs, one after the other."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

import numpy as np

from dlcheck import rules
from dlcheck.diagnosis.examine import examine
from dlcheck.diagnosis.settings import Settings
from dlcheck.errors import DlcheckError, one_line
from dlcheck.report.plain import printable
from dlcheck.report.report import Report
from dlcheck.report.triage import Triage
from dlcheck.runs import Run
from dlcheck.runs.discover import Found, Refused, discover
from dlcheck.runs.intake import MOST_BYTES
from dlcheck.runs.readers.reader import ReadOptions, read_runs

STDIN = "-"
STDIN_NAME = "standard input"


@dataclass(slots=True)
class Query:
    """Paths and how to judge what lies there. Entered as a context it reads ``-`` from standard input."""

    paths: tuple[str, ...]
    """Files, folders that are searched recursively, and globs."""
    settings: Settings = field(default_factory=Settings)
    """Of the person who asks; they win over all others."""
    project: Settings = field(default_factory=Settings)
    """Of the project; they give way to those of a run's own recipe."""
    reader: str | None = None
    """Name of the format; None recognises it."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Column of the log by the name of a signal."""
    most_bytes: int = MOST_BYTES
    """Of one file; a larger one is told and not read."""
    _spool: Path | None = None

    def __enter__(self) -> Query:
        """Copy standard input to a temporary file where it is asked for.

        Raises:
            DlcheckError: it is asked for twice.
        """
        if self.paths.count(STDIN) > 1:
            raise DlcheckError("-: standard input can be read only once")
        if STDIN in self.paths:
            with tempfile.NamedTemporaryFile(prefix="dlcheck-", delete=False) as file:
                self._spool = Path(file.name)
                shutil.copyfileobj(sys.stdin.buffer, file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the temporary file away."""
        if self._spool is not None:
            self._spool.unlink(missing_ok=True)
            self._spool = None

    def examine(self) -> Iterator[Report | Refused]:
        """Judge every run that is found; what cannot be read is told and does not stop the rest.

        Raises:
            DlcheckError: the settings name a rule or threshold that does not exist, or there is no such reader.
        """
        # A wrong code or threshold of the person's own is their slip, not a fault of each file.
        chosen = self.settings.over(self.project)
        rules.diagnose(Run(), select=chosen.select, ignore=chosen.ignore, thresholds=chosen.thresholds)
        paths = [str(self._spool) if path == STDIN else path for path in self.paths]
        for item in discover(paths, reader=self.reader):
            called = STDIN_NAME if item.path == self._spool else _decodable(item.path)
            if isinstance(item, Refused):
                yield Refused(Path(called), item.why)
            else:
                yield from self._examine_found(item, called)

    def triage(self) -> Triage:
        """Judge every run.

        Raises:
            DlcheckError: see ``examine``; or nothing could be read at all.
        """
        triage = Triage(self.examine())
        self.require(triage)
        return triage

    def require(self, triage: Triage) -> None:
        """Refuse an answer without any run.

        Raises:
            DlcheckError: it has none; says why the first path has none.
        """
        if triage.reports:
            return
        if not triage.refused:
            raise DlcheckError(f"{', '.join(self.paths)}: no training log found")
        first, *others = triage.refused
        more = f" (and {len(others)} more that cannot be read)" if others else ""
        raise DlcheckError(printable(f"{first.path}: {first.why}{more}"))

    def _examine_found(self, found: Found, called: str) -> Iterator[Report | Refused]:
        try:
            with np.errstate(all="ignore"):  # gigantic numbers overflow to infinity, which is an answer
                reports = self._reports(found, called)
        except DlcheckError as error:
            yield Refused(Path(called), one_line(error).removeprefix(f"{found.path}: "))
        except Exception as error:  # a fault of a reader must not take the other runs along
            yield Refused(Path(called), f"dlcheck failed on it: {type(error).__name__}: {one_line(error)}")
        else:
            yield from reports

    def _reports(self, found: Found, called: str) -> list[Report]:
        runs = read_runs(found.path, reader=found.reader_name, options=ReadOptions(self.names, self.most_bytes))
        sources = _sources(called, len(runs))
        return [
            replace(examine(run, source, self.settings, self.project), path=called)
            for run, source in zip(runs, sources, strict=True)
        ]


def _sources(called: str, count: int) -> list[str]:
    if count == 1:
        return [called]
    return [f"{called} (run {number} of {count})" for number in range(1, count + 1)]


def _decodable(path: Path) -> str:
    """Return a path that every report can hold, whatever bytes its name has."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")
