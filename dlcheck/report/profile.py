"""A profile in the terminal: the verdict first, then where a step goes, what to do, and what is in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from dlcheck.findings import Finding, Severity
from dlcheck.report.lines import ascii_only
from dlcheck.report.look import GOOD, HEAD, SEVERITIES, SOFT, VERDICTS, Column, last, show, table, width_of, wrapped
from dlcheck.report.plain import counts_line, patch_text, place, printable
from dlcheck.report.profile_device import MEMORY, room, used
from dlcheck.report.profile_table import Table
from dlcheck.report.profile_tables import how_made, parts, sweep, trials
from dlcheck.report.profile_way import not_in_the_way, not_looked_at
from dlcheck.report.profile_words import (
    CODES,
    bound_of,
    flops,
    next_line,
    notes,
    size,
    span,
    speed_line,
    title,
)
from dlcheck.report.report import Report
from dlcheck.rules.speed.bound import Bound
from dlcheck.rules.speed.loading import making_s
from dlcheck.rules.speed.settings import recommended
from dlcheck.runs.facts import DeviceUse, LoaderSweep, LoaderTimes, MemoryNeed, StepTimes, fact
from dlcheck.runs.facts.profile import PARTS

SIGNS, SIGNS_ASCII = "▒░╱█▓▚·∙", "w.c#=o-+"
"""Sign of each part in the bar, in the order of ``PARTS``."""
COLOURS = ("red", "red", "magenta", "blue", "blue", "green", "yellow", "yellow")
MOST_SETTINGS = 4
"""Rows of the sweep; JSON and HTML hold all."""
MOST_REMEDIES = 3
MOST_CODES = 8
MOST_NOTES = 3


def render_profile(report: Report, console: Console, *, ending: Sequence[str] = ()) -> None:
    """Print a profile; what is not ASCII is spelled where the terminal cannot show it.

    Args:
        report: A run with the facts of a profile, judged.
        console: Where to print.
        ending: Lines before the last one, as of ``render_text``.
    """
    show(_lines(report, width_of(console), ascii_only(console), ending), console)


def _lines(report: Report, width: int, ascii: bool, ending: Sequence[str]) -> Iterator[Text]:
    found = bound_of(report)
    yield Text(printable(report.source), HEAD)
    yield from wrapped(printable(title(found)), width, style=_style(report, found))
    yield from wrapped(speed_line(report, found), width)
    yield Text()
    yield from _step(report, width, ascii)
    findings = [item for item in report.outcome.findings if item.code != "P511"]
    if findings:
        yield Text()
    told = CODES.get(found.kind) if found is not None else None
    for finding in findings:
        yield from _finding(finding, width, told)
    swept = sweep(report.run, MOST_SETTINGS)
    if swept is not None and recommended(fact(report.run, LoaderSweep)) is not None:
        yield Text()
        yield from _table(swept, width, indent=3)
        yield from wrapped(swept.note.partition("; ")[2], width, 3)
    yield Text()
    if swept is not None and recommended(fact(report.run, LoaderSweep)) is None:
        yield from wrapped(f"settings of the loader: {swept.note}", width)
    yield from _rest(report, width)
    yield from _ending(report, width)
    yield from last(ending, next_line(report), width)


def _style(report: Report, found: Bound | None) -> str:
    if found is not None and found.kind == "inconclusive":
        return VERDICTS["unknown"]
    return VERDICTS[report.verdict]


def _step(report: Report, width: int, ascii: bool) -> Iterator[Text]:
    steps, shown = fact(report.run, StepTimes), parts(report.run)
    if steps is None or shown is None:
        return
    samples = f"{steps.samples:.4g} samples"
    yield from wrapped(
        f"a step takes {span(steps.period_s)} (95th percentile {span(steps.period_p95_s)}) for {samples} on "
        f"{printable(steps.device)}; {steps.steps} steps timed",
        width,
    )
    signs = SIGNS_ASCII if ascii else SIGNS
    yield _bar([(name, part) for part in steps.parts if (name := part.name) in PARTS], width, signs)
    keys = [signs[PARTS.index(row.kind)] if row.kind in PARTS else " " for row in shown.rows]
    yield from _table(shown, width, keys=keys)
    yield from wrapped(shown.note, width, 3)
    yield from wrapped(_batch(report), width, 3)


def _batch(report: Report) -> str:
    """Return how long the making of a batch takes, and what of it; empty where that is not known."""
    loader = fact(report.run, LoaderTimes)
    made = making_s(loader)
    if loader is None or made is None:
        return f"batches: {'; '.join(how_made(loader))}" if loader is not None else ""
    named = ", ".join(f"{item.name} {span(item.seconds)}" for item in loader.transforms[:2])
    within = f" (of which {named})" if named else ""
    known = (
        ("fetching", loader.fetch_s, within),
        ("collating", loader.collate_s, ""),
        ("transforming", loader.augment_s, ""),
    )
    told = ", ".join(f"{name} {span(value)}{more}" for name, value, more in known if value)
    return printable(f"a batch takes {span(made)} to make: {told}; {'; '.join(how_made(loader))}")


def _bar(known: Sequence[tuple[str, object]], width: int, signs: str) -> Text:
    """Return all parts side by side, each as long as its share; whole signs, by the largest remainder."""
    columns = max(20, width - 6)
    shares = [max(0.0, float(getattr(part, "share", 0.0))) for _, part in known]
    total = sum(shares) or 1.0
    exact = [share / total * columns for share in shares]
    whole = [int(length) for length in exact]
    order = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])
    for place_ in order[: columns - sum(whole)]:
        whole[place_] += 1
    bar = Text("   ")
    for (name, _), length in zip(known, whole, strict=True):
        index = PARTS.index(name)
        bar.append(signs[index] * length, COLOURS[index])
    return bar


def _table(shown: Table, width: int, *, indent: int = 3, keys: Sequence[str] = ()) -> Iterator[Text]:
    """Yield a table, its first column to the left and the others to the right; ``keys`` stand before the lines."""
    columns = [Column(f"{'  ' if keys else ''}{shown.head[0]}"), *(Column(head, right=True) for head in shown.head[1:])]
    rows = []
    for number, row in enumerate(shown.rows):
        key = f"{keys[number]} " if keys else ""
        style = GOOD if row.kind == "best" else ""
        rows.append([(f"{key if not place else ''}{printable(cell)}", style) for place, cell in enumerate(row.cells)])
    yield from table(columns, rows, width, indent=indent)


def _finding(finding: Finding, width: int, told: str | None) -> Iterator[Text]:
    """Yield a finding; that of the rule ``told`` without its sentence, which the verdict has already."""
    by = f", explained by {printable(finding.explained_by)}" if finding.explained_by else ""
    head = (printable(f"{finding.code} {finding.name}"), SEVERITIES[finding.severity])
    yield Text.assemble(head, f"  {finding.severity.label}, {finding.confidence:.0%} sure{by}")
    if finding.explained_by:
        return
    if finding.code != told:
        yield from wrapped(printable(finding.summary), width, 3)
    where = place(finding)
    if where and finding.severity > Severity.INFO:
        yield from wrapped(f"at {where}", width, 3)
    for text, patch in patch_text(finding)[: MOST_REMEDIES if finding.severity > Severity.INFO else 1]:
        yield from wrapped(f"do: {text}{f'  {printable(patch)}' if patch else ''}", width, 3)


def _rest(report: Report, width: int) -> Iterator[Text]:
    faster = trials(report.run)
    if faster is not None:
        told = [f"{row.cells[0]} {row.cells[1]} ({row.cells[2]})" for row in faster.rows if row.kind == "best"]
        yield from wrapped(f"computation, times as fast: {', '.join(told) or 'nothing tried is faster'}", width)
    need = fact(report.run, MemoryNeed)
    if need is not None:
        known = [(name, getattr(need, key)) for key, name in MEMORY.items()]
        causes = ", ".join(f"{name} {size(value)}" for name, value in known if value > 0)
        yield from wrapped(f"memory: {size(need.total)}: {causes}; {'; '.join(room(need))}", width)
    use = fact(report.run, DeviceUse)
    if use is not None:
        named = f"{use.device.name}: {flops(use.device.matmul_flops)} in a matrix product"
        yield from wrapped(printable("; ".join([f"device: {named}", *used(use)])), width)
    if clear := not_in_the_way(report):
        yield from wrapped(f"in order: {clear}", width)


def _ending(report: Report, width: int) -> Iterator[Text]:
    yield Text(counts_line(report.outcome))
    for why, codes in not_looked_at(report).items():
        more = f" and {len(codes) - MOST_CODES} more" if len(codes) > MOST_CODES else ""
        yield from wrapped(f"not checked, {why}: {printable(', '.join(codes[:MOST_CODES]))}{more}", width, 3, SOFT)
    for note in notes(report)[:MOST_NOTES]:
        yield from wrapped(f"note: {printable(note)}", width, 3)
    for crashed in report.outcome.crashed:
        yield from wrapped(f"crashed: {printable(crashed.code)}: {printable(crashed.error)}", width, 3)
