"""Many runs in the terminal: a row each, the sickest first."""

import shlex
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from dlcheck.report.look import HEAD, NEXT, SEVERITIES, SOFT, VERDICTS, Cell, Column, show, table, width_of
from dlcheck.report.plain import printable
from dlcheck.report.report import Report
from dlcheck.report.text import render_text
from dlcheck.report.triage import Triage, worst_finding
from dlcheck.runs.discover import Refused

MOST_REFUSED = 20
"""Files named of those that could not be read."""


def render_diagnosis(triage: Triage, console: Console, *, top: int = 0, verbose: bool = False) -> None:
    """Print one run in full, or many as a table.

    Args:
        triage: The runs.
        console: Where to print.
        top: Rows of the table at most; 0: all.
        verbose: Also how each log was read; of many runs, also the full report of each row.
    """
    reports = triage.reports
    if len(reports) == 1:
        render_text(reports, console, verbose=verbose, moments=True, ending=_refused(triage.refused))
        return
    shown = reports[:top] if top else reports
    show(_lines(triage, shown, len(reports), width_of(console)), console)
    if verbose and shown:
        render_text(shown, console, verbose=True, moments=True)
        console.print()
    show(_end(triage, shown, width_of(console)), console)


def _lines(triage: Triage, shown: Sequence[Report], total: int, width: int) -> Iterator[Text]:
    yield Text(triage.headline, HEAD)
    if not shown:
        return
    yield Text()
    columns = (Column("verdict"), Column("worst finding"), Column("findings", right=True), Column("run", whole=True))
    yield from table(columns, [_row(report) for report in shown], width)
    if total > len(shown):
        yield Text(f"and {total - len(shown)} more, less sick; --top 0 shows all", SOFT)
    yield Text()


def _end(triage: Triage, shown: Sequence[Report], width: int) -> Iterator[Text]:
    if shown and triage.rules:
        rows = [(str(rule.runs), f"{printable(rule.code)} {printable(rule.name)}") for rule in triage.rules]
        yield from table((Column("runs", right=True), Column("in which it was found")), rows, width)
        yield Text()
    if triage.refused:
        yield from (Text(line) for line in _refused(triage.refused))
        yield Text()
    if shown:
        yield Text(f"next: {_next(shown[0])}", NEXT)


def _row(report: Report) -> tuple[Cell, ...]:
    worst = worst_finding(report)
    told = f"{worst.code} {worst.name} ({worst.severity.label})" if worst is not None else "none"
    style = SEVERITIES[worst.severity] if worst is not None else ""
    verdict = (report.verdict, VERDICTS[report.verdict])
    return verdict, (printable(told), style), str(len(report.outcome.findings)), printable(report.source)


def _refused(refused: Sequence[Refused]) -> list[str]:
    if not refused:
        return []
    named = [f"   {printable(str(item.path))}: {printable(item.why)}" for item in refused[:MOST_REFUSED]]
    more = [f"   and {len(refused) - MOST_REFUSED} more"] if len(refused) > MOST_REFUSED else []
    return [f"not read: {len(refused)}", *named, *more]


def _next(worst: Report) -> str:
    if worst.outcome.findings:
        return f"dlcheck diagnose {printable(shlex.quote(worst.path or worst.source))}"
    return "nothing to mend" if worst.verdict == "healthy" else "dlcheck diagnose --verbose, for what was not checked"
