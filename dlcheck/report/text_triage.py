"""Many runs in the terminal: a row each, the sickest first."""

import shlex
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from dlcheck.report.plain import printable
from dlcheck.report.report import Report
from dlcheck.report.text import STYLES, VERDICTS, render_text
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
        render_text(reports, console, verbose=verbose, moments=True)
        for line in _refused(triage.refused):
            console.print(line, soft_wrap=True, highlight=False)
        return
    shown = reports[:top] if top else reports
    for line in _lines(triage, shown, len(reports)):
        console.print(line, soft_wrap=True, highlight=False)
    if verbose:
        console.print()
        render_text(shown, console, verbose=True, moments=True)


def _lines(triage: Triage, shown: Sequence[Report], total: int) -> Iterator[Text]:
    yield Text(triage.headline, "bold")
    if not shown:
        yield from _refused(triage.refused)
        return
    yield Text()
    yield Text(f"{'verdict':<9}{'worst finding':<34}{'findings':<10}run", "bold")
    for report in shown:
        yield _row(report)
    if total > len(shown):
        yield Text(f"and {total - len(shown)} more, less sick; --top 0 shows all")
    yield from _rules(triage)
    yield from _refused(triage.refused)
    yield Text(f"next: {_next(shown[0])}", "bold")


def _row(report: Report) -> Text:
    worst = worst_finding(report)
    told = f"{worst.code} {worst.name} ({worst.severity.label})" if worst is not None else "none"
    style = STYLES[worst.severity] if worst is not None else ""
    return Text.assemble(
        (f"{report.verdict:<9}", VERDICTS[report.verdict]),
        (f"{printable(told):<34}", style),
        f"{len(report.outcome.findings):<10}",
        printable(report.source),
    )


def _rules(triage: Triage) -> Iterator[Text]:
    if triage.rules:
        yield Text()
        yield Text("runs in which each rule found something", "bold")
    for rule in triage.rules:
        yield Text(f"{rule.runs:>6}  {printable(rule.code)} {printable(rule.name)}")


def _refused(refused: Sequence[Refused]) -> Iterator[Text]:
    if refused:
        yield Text()
        yield Text(f"not read: {len(refused)}", "bold")
    for item in refused[:MOST_REFUSED]:
        yield Text(f"   {printable(str(item.path))}: {printable(item.why)}")
    if len(refused) > MOST_REFUSED:
        yield Text(f"   and {len(refused) - MOST_REFUSED} more")


def _next(worst: Report) -> str:
    if worst.outcome.findings:
        return f"dlcheck diagnose {printable(shlex.quote(worst.path or worst.source))}"
    return "nothing to mend" if worst.verdict == "healthy" else "dlcheck diagnose --verbose, for what was not checked"
