"""``dlcheck diagnose --follow``: what is printed while a log grows, and the exit status at its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dlcheck.cli.options import ReportFormat
from dlcheck.cli.output import say
from dlcheck.diagnosis.follow import Change, Look, follow, worst
from dlcheck.errors import DlcheckError, ExitCode, ended_by
from dlcheck.findings import Severity
from dlcheck.report.live import change_line

if TYPE_CHECKING:
    from dlcheck.diagnosis import Query

LIVE = (ReportFormat.text, ReportFormat.json, ReportFormat.github)


def follow_log(
    query: Query,
    format_: ReportFormat,
    output: Path | None,
    *,
    interval: float,
    idle: float | None,
    fail_fast: bool,
) -> int:
    """Print each change as it comes, then the whole report, and return the exit status.

    Raises:
        DlcheckError: a format that cannot be printed bit by bit, or nothing could be read to the end.
    """
    if output is None and format_ not in LIVE:
        raise DlcheckError(f"--follow --format {format_}: needs --output FILE; on its way out go text, json or github")
    live = format_ if output is None else ReportFormat.text
    if sys.stderr.isatty():
        say(f"following {', '.join(query.paths)}; Ctrl-C ends it with the report")
    look: Look | None = None
    status: int | None = None
    try:
        for look in follow(query, interval=interval, idle=idle):
            for change in look.changes:
                typer.echo(_line(change, live))
            if fail_fast and _fails(query, look):
                status = ExitCode.FINDINGS
                break
    except KeyboardInterrupt as wish:
        status = 128 + ended_by(wish)
    if look is None:
        return ExitCode.INTERRUPTED if status is None else status
    if status is None:
        query.require(look.triage)
    ended = _report(look, format_, output)
    return ended if status is None else status


def _line(change: Change, format_: ReportFormat) -> str:
    return change_line(change.kind, change.report, change.finding, format_.value)


def _report(look: Look, format_: ReportFormat, output: Path | None) -> int:
    from dlcheck.cli.diagnose import report

    if not look.triage.reports and output is None:
        return ExitCode.OK
    return report(look.triage, format_, output, top=0, verbose=False)


def _fails(query: Query, look: Look) -> bool:
    word = query.settings.over(query.project).fail_on or Severity.ERROR.label
    found = worst(look.changes)
    return word != "never" and found is not None and found >= Severity[word.upper()]
