"""The one look of the terminal: styles by meaning, how wide, whether colour and movement are wanted, and tables.

Colour never carries meaning alone: whatever has a style also says it in words or signs.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dlcheck.errors import printable
from dlcheck.findings import Severity
from dlcheck.report.lines import ascii_only, hanging, spelled

SEVERITIES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold cyan"}
VERDICTS = {"sick": "bold red", "healthy": "bold green", "unknown": "bold yellow"}
HEAD = "bold"
"""Of names and headings, of tables too."""
NEXT = "bold"
"""Of the last line, which says what to do."""
SOFT = "dim"
"""Of what is left out, or only there for completeness."""
GOOD = "bold green"
HEED = "bold yellow"
DIFF = {"+": "green", "-": "red"}
WIDEST = 100
"""Columns of text at most: longer lines are hard to read."""
GAP = "  "
SHORTEST = 8
"""Columns that a cell keeps in a narrow terminal."""


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Return the console of a command: coloured and moving in a terminal, plain in pipes and where plain is wanted."""
    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    moves = terminal and not _plain() and not _set("CI")
    columns, lines = shutil.get_terminal_size() if terminal else (None, None)  # Rich takes a dumb one to be 80 wide
    return Console(
        stderr=stderr,
        quiet=quiet,
        highlight=False,
        color_system=None if _plain() else "auto",
        force_interactive=moves,
        width=columns,
        height=lines,
    )


def _plain() -> bool:
    """Return whether a person asked for output without any control codes."""
    return _set("NO_COLOR") or os.environ.get("TERM", "").lower() in ("dumb", "unknown")


def _set(name: str) -> bool:
    return os.environ.get(name, "") not in ("", "0", "false")


def width_of(console: Console) -> int:
    """Return how wide text is to be."""
    return min(console.width, WIDEST)


def show(lines: Iterable[Text], console: Console) -> None:
    """Print lines as they are, in ASCII where the terminal knows no more."""
    plain = ascii_only(console)
    for line in lines:
        if plain and not line.plain.isascii():
            line = _in_ascii(line)
        console.print(line, soft_wrap=True, highlight=False)


def _in_ascii(line: Text) -> Text:
    """Return a line spelled in ASCII, with the styles of its parts."""
    parts = Text(style=line.style)
    for part in line.divide(sorted({end for span in line.spans for end in (span.start, span.end)})):
        parts.append(spelled(part.plain), part.spans[0].style if part.spans else "")
    return parts


Cell = str | tuple[str, str]
"""Words, or words and their style."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    head: str = ""
    right: bool = False
    """Numbers stand to the right."""
    whole: bool = False
    """Never folded, as what is to be copied."""


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int, *, indent: int = 0, head: bool = True
) -> Iterator[Text]:
    """Yield the lines of a table: aligned, two spaces between columns, no rules; what is too wide is folded.

    Args:
        columns: Heads and sides.
        rows: Cells in words; the last cell of a row that has fewer takes the room of the columns it lacks.
        width: Columns of the terminal.
        indent: Spaces before each line.
        head: Whether the heads are shown.
    """
    heads = [tuple((column.head, HEAD) for column in columns)] if head else []
    full = [[_words(cell) for cell in row] for row in (*heads, *rows) if len(row) == len(columns)]
    short = [[_words(cell) for cell in row[:-1]] for row in rows if len(row) < len(columns)]
    natural = [
        max((cell_len(row[place]) for row in (*full, *short) if len(row) > place), default=0)
        for place in range(len(columns))
    ]
    room = width - indent - len(GAP) * (len(columns) - 1)
    widths = _fitted(natural, [not (column.right or column.whole) for column in columns], room)
    for row in (*heads, *rows):
        yield from _row(row, columns, _spans(row, widths, width - indent), indent)


def _fitted(natural: Sequence[int], folds: Sequence[bool], room: int) -> list[int]:
    """Return the widths of columns that together fit, the widest of those that may be folded made narrower."""
    widths = [min(size, max(room, SHORTEST)) if may else size for size, may in zip(natural, folds, strict=True)]
    while sum(widths) > room:
        wide = [place for place, may in enumerate(folds) if may and widths[place] > SHORTEST]
        if not wide:
            break
        widest = max(wide, key=lambda place: widths[place])
        widths[widest] -= 1
    return widths


def _spans(row: Sequence[Cell], widths: Sequence[int], width: int) -> list[int]:
    """Return the width of each cell of a row: the last one of a row that has fewer reaches to the end of the line."""
    before = list(widths[: len(row) - 1])
    if len(row) == len(widths):
        return list(widths)
    return [*before, max(width - sum(before) - len(GAP) * len(before), SHORTEST)]


def _row(row: Sequence[Cell], columns: Sequence[Column], spans: Sequence[int], indent: int) -> Iterator[Text]:
    folded = [
        [_words(cell)] if columns[place].whole or columns[place].right else _folded(_words(cell), spans[place])
        for place, cell in enumerate(row)
    ]
    for number in range(max(map(len, folded), default=0)):
        line = Text(" " * indent)
        for place, lines in enumerate(folded):
            words = lines[number] if number < len(lines) else ""
            pad = " " * max(spans[place] - cell_len(words), 0)
            line.append(GAP if place else "")
            line.append(f"{pad}{words}" if columns[place].right else f"{words}{pad}", _style(row[place]))
        line.rstrip()
        yield line


def _folded(words: str, width: int) -> list[str]:
    """Return words in lines; what begins one by folding may be a workflow's command, which is spelled out too."""
    if len(words) <= width:
        return [words]
    return [printable(line) for line in textwrap.wrap(words, max(width, 1), break_on_hyphens=False)]


def _words(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _style(cell: Cell) -> str:
    return "" if isinstance(cell, str) else cell[1]


def pairs(rows: Iterable[tuple[str, Cell]], width: int, *, indent: int = 0) -> Iterator[Text]:
    """Yield a table of two columns without heads: what, and its value."""
    yield from table(
        (Column(whole=True), Column()), [((name, HEAD), cell) for name, cell in rows], width, indent=indent, head=False
    )


def wrapped(words: str, width: int, left: int = 0, style: str = "") -> Iterator[Text]:
    """Yield words in lines of at most ``width``, those after the first hanging; nothing where there is none."""
    if lines := hanging(words, width, left):
        yield Text(lines, style)


def last(ending: Sequence[str], next_: str, width: int) -> Iterator[Text]:
    """Yield the end of a report: where what it is about lies, then what to do.

    Args:
        ending: Lines before the last one; one that begins with ``next: `` takes its place.
        next_: The last line.
        width: Columns.
    """
    said = [line for line in ending if line.startswith("next: ")]
    for line in ending:
        if line.startswith(("run folder: ", "folder: ", "folds: ", " ")):
            yield Text(printable(line))  # whole, to be copied
        elif line not in said:
            yield from wrapped(printable(line), width)
    yield Text(printable(said[-1] if said else next_), NEXT)


_FINDING = re.compile(r"([A-Z]\d{3} [\w-]+)  (error|warning|info), ")
_PAIR = re.compile(r"\S.*?\s{2,}(?=\S)")


def dressed(text: str, width: int) -> Iterator[Text]:
    """Yield a report that is known as plain text, in the same look: names, findings and what to do next stand out.

    Lines that are too long are folded, values under values.
    """
    for number, line in enumerate(text.splitlines()):
        style = HEAD if not number else NEXT if line.startswith("next: ") else ""
        style = SOFT if line.lstrip().startswith("not checked, ") else style
        folded = _folded_pair(line, width) if len(line) > width and style != NEXT else line
        shown = Text(folded, style)
        if found := _FINDING.match(line):
            shown.stylize(SEVERITIES[Severity[found[2].upper()]], 0, len(found[1]))
        yield shown


def _folded_pair(line: str, width: int) -> str:
    pair = _PAIR.match(line)
    left = len(pair[0]) if pair else len(line) - len(line.lstrip()) + 2
    return "\n".join(textwrap.wrap(line, width, subsequent_indent=" " * left, break_on_hyphens=False))
