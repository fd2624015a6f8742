"""The diagnosis from Python: ``dlcheck.diagnose``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.diagnosis.examine import examine
from dlcheck.diagnosis.frame import frame_runs
from dlcheck.diagnosis.query import Query
from dlcheck.diagnosis.settings import Settings
from dlcheck.findings import Finding, Severity
from dlcheck.report.report import Report
from dlcheck.report.triage import Triage
from dlcheck.runs import Run
from dlcheck.runs.discover import Refused
from dlcheck.runs.intake import MOST_BYTES

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "source",
    "code",
    "name",
    "severity",
    "confidence",
    "summary",
    "metric",
    "layer",
    "step",
    "epoch",
    "primary",
    "explained_by",
    "cause",
    "remedy",
)


@dataclass(frozen=True)
class Diagnosis:
    """What the rules said of one run or of many."""

    reports: tuple[Report, ...]
    """One a run."""
    refused: tuple[Refused, ...] = ()
    """What could not be read, and why."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all runs, causes first within each run."""
        return tuple(finding for report in self.reports for finding in report.outcome.findings)

    @property
    def worst(self) -> Severity | None:
        """The severest finding's severity, None without findings."""
        return max((finding.severity for finding in self.findings), default=None)

    def to_frame(self) -> pd.DataFrame:
        """Return one row a finding; ``step`` and ``epoch`` are whole numbers or missing, ``remedy`` is the first."""
        import pandas as pd

        rows = [_row(report, finding) for report in self.reports for finding in report.outcome.findings]
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        return frame.astype({"step": "Int64", "epoch": "Int64", "confidence": "float64", "primary": "bool"})

    def __str__(self) -> str:
        """Return the reports as ``dlcheck diagnose`` prints them."""
        from dlcheck.report.render import to_text

        return to_text(Triage([*self.reports, *self.refused]))

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(escape=True))


def diagnose(
    data: pd.DataFrame | Run | str | Path | Iterable[str | Path],
    *,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    thresholds: Mapping[str, Mapping[str, float]] | None = None,
    reader: str | None = None,
    names: Mapping[str, str] | None = None,
    max_size: int = MOST_BYTES,
) -> Diagnosis:
    """Read the logs of one or more trainings and say what is wrong with them.

    Args:
        data: A table with a column for each curve, a run, or paths of logs and folders of them.
        select: Code prefixes of the rules to apply; empty: all.
        ignore: Code prefixes to leave out; the longest prefix wins.
        thresholds: Other thresholds by rule code and name.
        reader: Name of the log's format; None recognises it.
        names: Column of the log by the name of a signal, as ``{"val_loss": "eval/ce"}``.
        max_size: Bytes of the largest file to read.

    Raises:
        DlcheckError: nothing that can be read, or a code, threshold or reader that does not exist.
    """
    import pandas as pd

    settings = Settings(tuple(select), tuple(ignore), None, thresholds or {})
    if isinstance(data, pd.DataFrame):
        runs = frame_runs(data, names or {})
        return Diagnosis(tuple(examine(run, source, settings) for run, source in zip(runs, _called(runs), strict=True)))
    if isinstance(data, Run):
        return Diagnosis((examine(data, "run", settings),))
    paths = [data] if isinstance(data, str | Path) else list(data)
    query = Query(tuple(str(path) for path in paths), settings, reader=reader, names=names or {}, most_bytes=max_size)
    found = list(query.examine())
    reports = tuple(item for item in found if isinstance(item, Report))
    refused = tuple(item for item in found if isinstance(item, Refused))
    query.require(Triage([*reports, *refused]))
    return Diagnosis(reports, refused)


def _called(runs: list[Run]) -> list[str]:
    return (
        ["table"] if len(runs) == 1 else [f"table (run {number} of {len(runs)})" for number in range(1, len(runs) + 1)]
    )


def _row(report: Report, finding: Finding) -> tuple[object, ...]:
    where = finding.where
    return (
        report.source,
        finding.code,
        finding.name,
        finding.severity.label,
        finding.confidence,
        finding.summary,
        where.metric,
        where.layer,
        where.step,
        where.epoch,
        finding.primary,
        finding.explained_by,
        finding.cause,
        finding.remedies[0].text if finding.remedies else None,
    )
