"""A treatment in the terminal: the verdict first, then the proof, the changes, and what was tried."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from dlcheck.report.plain import printable
from dlcheck.report.text import VERDICTS
from dlcheck.report.treated import Attempt, Fate, Round, Treated, Yours
from dlcheck.report.treatment_words import (
    amount,
    assignment,
    attempt_line,
    cost_line,
    look,
    next_line,
    proof_line,
    spoken,
    title,
    was_now,
)

WIDEST = 100
MOST_ATTEMPTS = 6
MOST_DIFF = 24
"""Lines of the diff; the file holds all."""
ADDED, TAKEN = "green", "red"


def render_treatment(treated: Treated, console: Console) -> None:
    """Print a treatment; what is not ASCII is left out where the terminal cannot show it."""
    plain = console.encoding.lower() not in ("utf-8", "utf8") or console.is_dumb_terminal
    for line in _lines(treated, min(console.width, WIDEST)):
        if plain:
            line.plain = "".join(sign if ord(sign) < 128 else "?" for sign in line.plain)
        console.print(line, soft_wrap=True, highlight=False)


def _lines(treated: Treated, width: int) -> Iterator[Text]:
    yield Text.assemble((f"{printable(treated.name)}: ", "bold"), (title(treated), f"bold {VERDICTS[look(treated)]}"))
    yield from _wrapped(_outcome(treated), width, 3)
    for change in treated.changes:
        yield Text(f"   {printable(assignment(change))}")
    for one in treated.rounds:
        yield from _round(one, width)
    if treated.plan:
        yield Text("\nto try, in this order:")
        for number, attempt in enumerate(treated.plan[:MOST_ATTEMPTS], start=1):
            yield from _wrapped(f"{number}. {printable(attempt_line(attempt))}", width, 3)
    for item in treated.yours:
        yield from _yours(item, width)
    yield from _diff(treated.diff)
    yield from _ending(treated, width)


def _outcome(treated: Treated) -> str:
    parts = [proof_line(treated.proof)] if treated.proof is not None else []
    return printable("; ".join([*parts, *([was_now(treated)] if was_now(treated) else [])]))


def _round(one: Round, width: int) -> Iterator[Text]:
    finding = one.finding
    yield Text(f"\n{printable(finding.code)} {printable(finding.name)}")
    yield from _wrapped(printable(finding.summary), width, 3)
    shown = one.attempts[:MOST_ATTEMPTS]
    for attempt in shown:
        yield from _wrapped(f"{_sign(attempt)} {printable(attempt_line(attempt))}", width, 3)
    if len(one.attempts) > len(shown):
        yield Text(f"   and {len(one.attempts) - len(shown)} more, in the report")


def _sign(attempt: Attempt) -> str:
    return "+" if attempt.fate is Fate.KEPT else "-"


def _yours(item: Yours, width: int) -> Iterator[Text]:
    yield Text(f"\nyours to fix: {printable(item.finding.code)} {printable(item.finding.name)}")
    yield from _wrapped(printable(item.text), width, 3)
    if item.rows is not None:
        yield Text(f"   {item.count} sample{'' if item.count == 1 else 's'}: {printable(str(item.rows))}")


def _diff(diff: str) -> Iterator[Text]:
    lines = diff.splitlines()
    if lines:
        yield Text("")
    for line in lines[:MOST_DIFF]:
        style = ADDED if line.startswith("+") else TAKEN if line.startswith("-") else ""
        yield Text(printable(line), style)
    if len(lines) > MOST_DIFF:
        yield Text(f"… {len(lines) - MOST_DIFF} more lines")


def _ending(treated: Treated, width: int) -> Iterator[Text]:
    yield Text("")
    for note in treated.notes:
        yield from _wrapped(f"note: {printable(note)}", width)
    if treated.proof is not None:
        before, after = treated.proof.before, treated.proof.after
        metric = treated.proof.metric
        pairs = ", ".join(f"{amount(a, metric)} to {amount(b, metric)}" for a, b in zip(before, after, strict=True))
        yield from _wrapped(f"{spoken(metric)} by seed: {pairs}", width)
    yield Text(cost_line(treated))
    yield Text(f"folder: {printable(str(treated.folder))}")
    yield Text(printable(next_line(treated)))


def _wrapped(text: str, width: int, left: int = 0) -> Iterator[Text]:
    lines = textwrap.wrap(
        text,
        max(width, 20),
        initial_indent=" " * left,
        subsequent_indent=" " * (left + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    if lines:
        yield Text("\n".join(lines))
