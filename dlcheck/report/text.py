"""The diagnosis in the terminal: the verdict first, each finding with its numbers, what was not looked at."""

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.text import Text

from dlcheck.findings import Finding, NotChecked, Severity
from dlcheck.report.chart import draw_curves
from dlcheck.report.plain import headline, next_step, number, patch_text, place, printable
from dlcheck.report.report import Report, counts, loss_series, x_label

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
VERDICTS = {"sick": "bold red", "healthy": "bold green", "unknown": "bold yellow"}
MOST_CODES = 12
"""Codes named on one line of what was not checked."""


def render_text(reports: Iterable[Report], console: Console, *, verbose: bool = False, chart: bool = False) -> None:
    """Print the diagnosis of each run; escapes in the user's own words are shown, not obeyed.

    Args:
        reports: One or more judged runs.
        console: Where to print.
        verbose: Also references, and what the reader inferred.
        chart: Also the loss curves.
    """
    for index, report in enumerate(reports):
        if index:
            console.print()
        for line in _lines(report, console, verbose=verbose, chart=chart):
            console.print(line, soft_wrap=True, highlight=False)


def _lines(report: Report, console: Console, *, verbose: bool, chart: bool) -> Iterator[Text]:
    yield Text.assemble((printable(report.source), "bold"))
    yield Text(headline(report), VERDICTS[report.verdict])
    if chart:
        yield _chart(report, console)
    for finding in report.outcome.findings:
        yield Text()
        yield from _finding(finding, console.width, verbose)
    yield Text()
    yield from _ending(report, console.width)
    if verbose:
        yield from _inferred(report, console.width)
    yield Text(next_step(report), "bold")


def _chart(report: Report, console: Console) -> Text:
    ascii_only = console.encoding.lower() not in ("utf-8", "utf8") or console.is_dumb_terminal
    width = min(console.width, 100) - 1
    text = draw_curves(loss_series(report.run), width=width, x_label=x_label(report.run), ascii=ascii_only)
    return Text(text, no_wrap=True)


def _finding(finding: Finding, width: int, verbose: bool) -> Iterator[Text]:
    certainty = f"  {finding.severity.label}, {finding.confidence:.0%} sure"
    yield Text.assemble((f"{finding.code} {finding.name}", STYLES[finding.severity]), certainty)
    yield _under(printable(finding.summary), width)
    if finding.explained_by:
        yield _under(f"explained by {finding.explained_by}", width)
        return
    if finding.evidence:
        yield _under("; ".join(f"{printable(key)} {number(value)}" for key, value in finding.evidence.items()), width)
    if where := place(finding):
        yield _under(f"at {where}", width)
    if finding.cause:
        yield _under(f"cause: {printable(finding.cause)}", width)
    for text, patch in patch_text(finding):
        yield _under(f"do: {text}", width)
        if patch:
            yield _under(printable(patch), width, 7)
    if verbose:
        for reference in finding.references:
            yield _under(f"see: {printable(reference)}", width)


def _under(text: str, width: int, left: int = 3) -> Text:
    """Return text under a heading; lines after the first hang, so that the next item stands out."""
    lines = textwrap.wrap(
        text,
        max(width, 20),
        initial_indent=" " * left,
        subsequent_indent=" " * (left + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return Text("\n".join(lines))


def _ending(report: Report, width: int) -> Iterator[Text]:
    yield Text("; ".join(f"{count} {name}" for name, count in counts(report.outcome).items()))
    for why, lacking in _by_reason(report.outcome.not_checked).items():
        yield _under(f"not checked, {printable(why)}: {_codes(lacking)}", width)
    for crashed in report.outcome.crashed:
        yield _under(f"crashed: {printable(crashed.code)}: {printable(crashed.error)}", width)


def _by_reason(not_checked: Iterable[NotChecked]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = defaultdict(list)
    for item in not_checked:
        reasons[f"{item.why} ({item.try_} measures it)" if item.try_ else item.why].append(item.code)
    return reasons


def _codes(codes: list[str]) -> str:
    more = f" and {len(codes) - MOST_CODES} more" if len(codes) > MOST_CODES else ""
    return printable(", ".join(codes[:MOST_CODES])) + more


def _inferred(report: Report, width: int) -> Iterator[Text]:
    inferred = report.run.meta.get("inferred")
    if isinstance(inferred, dict):
        for key, value in inferred.items():
            yield _under(f"inferred: {printable(str(key))}: {printable(str(value))}", width)
