"""A treatment in the terminal: the verdict first, then the proof, the changes, and what was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from dlcheck.report.lines import hanging
from dlcheck.report.look import DIFF, HEAD, HEED, NEXT, SOFT, VERDICTS, show, width_of
from dlcheck.report.plain import printable
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

MOST_CHANGES = 6
MOST_DIFF = 12
MOST_TRIED = 10
"""Lines about what was tried; the report holds all."""
MOST_YOURS = 2
MOST_NOTES = 3
LEFT = 3
HELD = "\N{NO-BREAK SPACE}"
Line = tuple[str, str]
"""Words and style."""


def render_treatment(treated: Treated, console: Console) -> None:
    """Print a treatment in about 40 lines at most; signs that the terminal cannot show are spelled in ASCII."""
    lines = _lines(treated, max(40, width_of(console)))
    show((Text(words, style) for words, style in lines), console)


def _lines(treated: Treated, width: int) -> Iterator[Line]:
    yield printable(treated.name), HEAD
    yield title(treated), VERDICTS[look(treated)]
    yield from _outcome(treated, width)
    yield from _changes(treated)
    yield from _tried(treated, width)
    for item in treated.yours[:MOST_YOURS]:
        yield from _yours(item, width)
    yield from _more(len(treated.yours) - MOST_YOURS, "of yours to fix")
    yield "", ""
    yield from _ending(treated, width)


def _outcome(treated: Treated, width: int) -> Iterator[Line]:
    if treated.proof is not None:
        proof = treated.proof
        yield from _wrapped(proof_line(proof), width, LEFT)
        pairs = zip(proof.before, proof.after, strict=True)
        told = ", ".join(f"{amount(old, proof.metric)} to {amount(new, proof.metric)}" for old, new in pairs)
        yield from _wrapped(f"{spoken(proof.metric)} by seed: {told}", width, LEFT)
    if found := was_now(treated):
        yield from _wrapped(found, width, LEFT)


def _changes(treated: Treated) -> Iterator[Line]:
    """Return the diff, which has the reasons too, or the keys where there is no file of the recipe yet."""
    if treated.diff:
        yield "", ""
        yield from _diff(treated.diff.splitlines())
        return
    if treated.changes:
        yield "\nchanged", HEAD
    for change in treated.changes[:MOST_CHANGES]:
        yield f"{' ' * LEFT}{printable(assignment(change))}", ""
    yield from _more(len(treated.changes) - MOST_CHANGES, "keys")


def _diff(lines: Sequence[str]) -> Iterator[Line]:
    for line in lines[:MOST_DIFF]:
        yield f"{' ' * LEFT}{printable(line)}", DIFF.get(line[:1], "")
    yield from _more(len(lines) - MOST_DIFF, "lines", "cured.diff")


def _tried(treated: Treated, width: int) -> Iterator[Line]:
    """Return what was tried and what would be, cut where it grows long."""
    if treated.plan:
        yield "\nto try, in this order", HEAD
        numbered = [(f"{number}.", attempt) for number, attempt in enumerate(treated.plan, start=1)]
        yield from _cut(numbered, width)
        return
    room = MOST_TRIED
    for place, one in enumerate(treated.rounds):
        if room < 3:
            yield from _more(len(treated.rounds) - place, "findings")
            return
        lines = list(_round(one, width, room))
        room -= sum(words.count("\n") + 1 for words, _ in lines)
        yield from lines


def _round(one: Round, width: int, room: int) -> Iterator[Line]:
    yield f"\n{printable(one.finding.code)} {printable(one.finding.name)}: tried", HEAD
    yield from _cut([("+" if item.fate is Fate.KEPT else "-", item) for item in one.attempts], width, room - 2)


def _cut(attempts: Sequence[tuple[str, Attempt]], width: int, room: int = MOST_TRIED) -> Iterator[Line]:
    for place, (sign, attempt) in enumerate(attempts):
        told = list(_wrapped(f"{sign} {attempt_line(attempt)}", width, LEFT))
        room -= sum(words.count("\n") + 1 for words, _ in told)
        if room < 0 and place:
            yield from _more(len(attempts) - place, "attempts")
            return
        yield from told


def _yours(item: Yours, width: int) -> Iterator[Line]:
    yield f"\nyours to fix: {printable(item.finding.code)} {printable(item.finding.name)}", HEED
    yield from _wrapped(item.text, width, LEFT)
    if item.rows is not None:
        yield f"{' ' * LEFT}{item.count} sample{'' if item.count == 1 else 's'}: {printable(str(item.rows))}", ""


def _ending(treated: Treated, width: int) -> Iterator[Line]:
    for note in treated.notes[:MOST_NOTES]:
        yield from _wrapped(f"note: {note}", width)
    yield from _more(len(treated.notes) - MOST_NOTES, "notes")
    yield from _wrapped(cost_line(treated), width)
    left = ", ".join(["report.html", *(["cured.toml", "cured.diff"] if treated.cured is not None else [])])
    yield f"folder: {printable(str(treated.folder))} ({left})", ""
    yield printable(next_line(treated)), NEXT


def _more(count: int, what: str, where: str = "report.html") -> Iterator[Line]:
    if count > 0:
        yield f"{' ' * LEFT}… {count} more {what}, in {where}", SOFT


def _wrapped(text: str, width: int, left: int = 0) -> Iterator[Line]:
    lines = hanging(printable(text).replace(" %", f"{HELD}%"), width, left)
    if lines:
        yield lines.replace(HELD, " "), ""
