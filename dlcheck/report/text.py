"""The diagnosis in the terminal: the verdict first, each finding with its numbers, what was not looked at."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from dlcheck.findings import Finding, NotChecked
from dlcheck.report.chart import draw_curves
from dlcheck.report.exams import exam_table, time_line
from dlcheck.report.lines import ascii_only
from dlcheck.report.look import HEAD, SEVERITIES, SOFT, VERDICTS, last, show, width_of, wrapped
from dlcheck.report.plain import counts_line, headline, next_step, number, patch_text, place, printable, read_as
from dlcheck.report.report import Report, Series, loss_series, moment, shown_by, x_label
from dlcheck.report.sketch import sketch

SMALL = 10
"""Lines of a finding's own curve."""
MANY_REASONS = 4
"""Different signals that are lacking, from which on one line for all says more; ``--verbose`` names each."""
MOST_CODES = 12
"""Codes named on one line of what was not checked."""
NOTHING = "for want of what other commands measure"
TRAINING = "since only a training shows it"
SCRIPT = "the script showed nothing of what they judge"
"""Why many rules were not checked, in one reason for all."""


def render_text(
    reports: Iterable[Report],
    console: Console,
    *,
    verbose: bool = False,
    chart: bool = False,
    moments: bool = False,
    ending: Sequence[str] = (),
) -> None:
    """Print the diagnosis of each run; escapes in the user's own words are shown, not obeyed.

    Args:
        reports: One or more judged runs.
        console: Where to print.
        verbose: Also references, and what the reader inferred.
        chart: Also the loss curves under the verdict.
        moments: Also a small curve under each cause, with the moment marked.
        ending: Lines before the last one: what was reached, and where it lies. One that begins with ``next: ``
            is the last line itself.
    """
    for index, report in enumerate(reports):
        if index:
            console.print()
        show(_lines(report, console, verbose=verbose, chart=chart, moments=moments), console)
        show(last(ending, next_step(report), width_of(console)), console)


def _lines(report: Report, console: Console, *, verbose: bool, chart: bool, moments: bool) -> Iterator[Text]:
    width = width_of(console)
    yield Text(printable(report.source), HEAD)
    yield from wrapped(headline(report), width, style=VERDICTS[report.verdict])
    if chart:
        yield _chart(report, console)
    if report.exams:
        yield Text()
        styles = {finding.code: SEVERITIES[finding.severity] for finding in report.outcome.findings}
        yield from exam_table(report.exams, styles, width)
        yield from wrapped(time_line(report.exams), width, style=SOFT)
    for finding in report.outcome.findings:
        yield Text()
        yield from _finding(finding, width, verbose)
        if moments and finding.primary and (series := shown_by(report, finding)):
            yield _moment(report, finding, series, console)
    yield Text()
    yield from _ending(report, width, verbose)
    if verbose:
        yield from _reading(report, width)


def _moment(report: Report, finding: Finding, series: Sequence[Series], console: Console) -> Text:
    at = moment(report, finding)
    marks = {f"{finding.code} {finding.name}": at} if at is not None else {}
    width, label = width_of(console) - 1, x_label(report.run)
    text = sketch(series, width=width, height=SMALL, marks=marks, x_label=label, ascii=ascii_only(console))
    return Text(text, no_wrap=True)


def _chart(report: Report, console: Console) -> Text:
    width, label = width_of(console) - 1, x_label(report.run)
    return Text(
        draw_curves(loss_series(report.run), width=width, x_label=label, ascii=ascii_only(console)), no_wrap=True
    )


def _finding(finding: Finding, width: int, verbose: bool) -> Iterator[Text]:
    certainty = f"  {finding.severity.label}, {finding.confidence:.0%} sure"
    yield Text.assemble((printable(f"{finding.code} {finding.name}"), SEVERITIES[finding.severity]), certainty)
    yield from _under(printable(finding.summary), width)
    if finding.explained_by:
        yield from _under(f"explained by {printable(finding.explained_by)}", width)
        return
    if finding.evidence:
        yield from _under(
            "; ".join(f"{printable(key)} {number(value)}" for key, value in finding.evidence.items()), width
        )
    if where := place(finding):
        yield from _under(f"at {where}", width)
    if finding.cause:
        yield from _under(f"cause: {printable(finding.cause)}", width)
    for text, patch in patch_text(finding):
        yield from _under(f"do: {text}", width)
        if patch:
            yield from _under(printable(patch), width, 7)
    if verbose:
        for reference in finding.references:
            yield from _under(f"see: {printable(reference)}", width)


def _under(text: str, width: int, left: int = 3, style: str = "") -> Iterator[Text]:
    """Yield text under a heading; lines after the first hang, so that the next item stands out."""
    yield from wrapped(text, width, left, style)


def _ending(report: Report, width: int, verbose: bool) -> Iterator[Text]:
    yield Text(counts_line(report.outcome))
    for line in _lacking_lines(report, verbose):
        yield from _under(line, width, style=SOFT)
    for crashed in report.outcome.crashed:
        yield from _under(f"crashed: {printable(crashed.code)}: {printable(crashed.error)}", width)


def _lacking_lines(report: Report, verbose: bool) -> Iterator[str]:
    """Yield why rules were not checked, with their codes; of those that another command shows, how many they are."""
    short = not verbose and _many_lack(report)
    by_code: dict[str, list[str]] = defaultdict(list)
    by_command: dict[str, Counter[str]] = defaultdict(Counter)
    for item in report.outcome.not_checked:
        why = _reason(report, item, short=short)
        if why in (NOTHING, TRAINING) and item.try_ and not verbose:
            by_command[why][item.try_] += 1
        else:
            by_code[f"{why} ({item.try_} measures it)" if item.try_ and why != SCRIPT else why].append(item.code)
    for why, codes in by_code.items():
        yield printable(f"not checked, {why}: ") + _codes(codes)
    for why, commands in by_command.items():
        (first, count), *others = commands.items()
        told = [
            f"{count} rule{'' if count == 1 else 's'} ({first})",
            *(f"{number} ({name})" for name, number in others),
        ]
        yield printable(f"not checked, {why}: {', '.join(told)}")


def _many_lack(report: Report) -> bool:
    return len({item.why for item in report.outcome.not_checked if item.lacking}) >= MANY_REASONS


def _reason(report: Report, item: NotChecked, *, short: bool) -> str:
    """Return why a rule was not checked; in short one reason for all that lack a signal."""
    if report.exams:
        # Before training every rule on curves lacks them: one reason for all says so.
        examined = any(item.code in row.codes for row in report.exams)
        return item.why if examined or item.try_.startswith("dlcheck check") else TRAINING
    if not (short and item.lacking):
        return item.why
    return SCRIPT if report.run.facts.get("watched") is True else NOTHING


def _codes(codes: list[str]) -> str:
    more = f" and {len(codes) - MOST_CODES} more" if len(codes) > MOST_CODES else ""
    return printable(", ".join(codes[:MOST_CODES])) + more


def _reading(report: Report, width: int) -> Iterator[Text]:
    """Say how the log was understood."""
    for line in read_as(report):
        yield from _under(line, width)
