"""The treatment of a script in the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from dlcheck.report.look import DIFF, HEAD, NEXT, SEVERITIES, VERDICTS, Column, show, table, width_of, wrapped
from dlcheck.report.plain import number, place, printable
from dlcheck.report.treated_script import Compared, Prescription, ScriptTreated


def render_script(treated: ScriptTreated, console: Console) -> None:
    """Print a script's treatment; what is not ASCII is spelled where the terminal cannot show it."""
    show(_lines(treated, width_of(console)), console)


def title(treated: ScriptTreated) -> tuple[str, str]:
    """Return the verdict in a line, and its look."""
    if treated.after is not None:
        gone = {one.finding.code for one in treated.prescriptions if one.applied} - _sick_codes(treated)
        told = (
            f"mended in a copy: {printable(', '.join(sorted(gone)))} gone"
            if gone
            else "mended in a copy, but found again"
        )
        return told, "healthy" if gone and treated.after.verdict != "sick" else "sick"
    if treated.prescriptions:
        count = len(treated.prescriptions)
        return f"{count} prescription{'' if count == 1 else 's'}; nothing was changed", "sick"
    known = treated.before.verdict
    return ("healthy: nothing to treat" if known == "healthy" else "nothing found that could be treated"), known


def _sick_codes(treated: ScriptTreated) -> set[str]:
    return {one.code for one in treated.after.outcome.findings} if treated.after is not None else set()


def _lines(treated: ScriptTreated, width: int) -> Iterator[Text]:
    told, look = title(treated)
    yield Text(printable(treated.name), HEAD)
    yield from wrapped(told, width, style=VERDICTS[look])
    for one in treated.prescriptions:
        yield from _prescription(one, width)
    yield from _comparison(treated, width)
    yield Text("")
    for note in treated.notes:
        yield from wrapped(f"note: {printable(note)}", width)
    for path in treated.copies:
        yield Text(f"mended copy: {printable(str(path))}")
    yield Text(f"folder: {printable(str(treated.folder))}")
    yield Text(next_line(treated), NEXT)


def _prescription(one: Prescription, width: int) -> Iterator[Text]:
    finding = one.finding
    where = f" at {place(finding)}" if place(finding) else ""
    yield Text()
    yield Text.assemble((printable(f"{finding.code} {finding.name}"), SEVERITIES[finding.severity]), where)
    yield from wrapped(printable(finding.summary), width, 3)
    yield from wrapped(f"do: {printable(one.text)}", width, 3)
    for line in one.diff.splitlines():
        yield Text(f"   {printable(line)}", DIFF.get(line[:1], ""))


def _comparison(treated: ScriptTreated, width: int) -> Iterator[Text]:
    if treated.after is None:
        return
    yield Text("\none run each, so no proof", HEAD)
    columns = (Column("signal"), Column("as it is", right=True), Column("mended", right=True), Column())
    yield from table(columns, [_compared(one) for one in treated.compared], width, indent=3)


def _compared(one: Compared) -> tuple[str, ...]:
    return printable(one.signal), number(one.before), number(one.after), printable(one.note)


def next_line(treated: ScriptTreated) -> str:
    """Return what to do next, the last line."""
    # Notes are of a treatment with --apply, which then could not do more.
    if any(one.exact for one in treated.prescriptions) and not treated.copies and not treated.notes:
        return "next: the same with --apply, which edits a copy and runs it"
    if treated.copies:
        return f"next: compare, and take over what you like from {printable(str(treated.copies[0]))}"
    first = next(iter(treated.prescriptions), None)
    return f"next: dlcheck explain {printable(first.finding.code)}" if first is not None else "next: nothing to mend"
