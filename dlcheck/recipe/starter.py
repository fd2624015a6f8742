"""A first recipe, written down: keys with the reason for each value beside it."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH = 110
"""Columns of a written recipe."""
COMMENT = 28
"""Column where comments begin."""

Value = str | int | float | bool | Sequence[str] | Sequence[float]


@dataclass(frozen=True, slots=True)
class Line:
    """A key with its value, and why it has it."""

    key: str
    value: Value
    why: str = ""
    off: bool = False
    """Written as a comment: something else to try."""


@dataclass(frozen=True, slots=True)
class Table:
    """A section of the recipe; ``notes`` stand above it as comments of their own."""

    name: str
    lines: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Starter:
    """What was found in a user's data, and the recipe made from it."""

    source: str
    """What was looked at, as the user named it."""
    kind: str
    """``images``, ``table``, ``series``, ``text`` or ``arrays``."""
    told: tuple[tuple[str, str], ...]
    """What was measured, in words: a name and a sentence each."""
    measures: Mapping[str, Any]
    """The same as numbers, ready for JSON."""
    tables: tuple[Table, ...]
    heed: tuple[str, ...] = ()
    """What the user should look at before trusting a result."""
    head: tuple[str, ...] = field(default=())
    """Sentences at the top of the recipe."""


def written(starter: Starter) -> str:
    """Return the recipe as TOML, comments in one column, no line longer than ``WIDTH`` where words can be broken."""
    paragraphs = ["\n".join(_comment(sentence) for sentence in starter.head)]
    paragraphs += ["\n".join(_comment(f"heed: {sentence}") for sentence in starter.heed)]
    paragraphs += [_section(table) for table in starter.tables]
    return "\n\n".join(text for text in paragraphs if text) + "\n"


def _section(table: Table) -> str:
    parts = [_comment(note) for note in table.notes]
    # A section of which nothing is switched on is a comment as a whole.
    on = any(not line.off for line in table.lines)
    parts.append(f"[{table.name}]" if on else f"# [{table.name}]")
    return "\n".join(parts + [_line(line) for line in table.lines])


def _line(line: Line) -> str:
    start = f"{'# ' if line.off else ''}{line.key} = "
    pair = start + _value(line.value, len(start), "# " if line.off else "")
    if not line.why:
        return pair
    if "\n" not in pair and max(len(pair) + 1, COMMENT) + len(line.why) + 2 <= WIDTH:
        return f"{pair.ljust(COMMENT - 1)} # {' '.join(line.why.split())}"
    return f"{_comment(line.why)}\n{pair}"


def _comment(text: str) -> str:
    """Return a comment of as many lines as it takes; what a file's name may hold cannot end it."""
    words = " ".join(text.split())
    clean = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in words)
    return textwrap.fill(
        clean, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
    )


def _value(value: Value, indent: int, prefix: str) -> str:
    import tomlkit

    if isinstance(value, str | bool | int | float):
        return tomlkit.item(value).as_string()
    lines = [""]
    for place, item in enumerate(value):
        text = tomlkit.item(item).as_string() + ("," if place < len(value) - 1 else "")
        if lines[-1] and indent + len(lines[-1]) + len(text) + 3 > WIDTH:
            lines.append("")
        lines[-1] += f"{' ' if lines[-1] else ''}{text}"
    between = "\n" + prefix + " " * (indent + 1 - len(prefix))
    return f"[{between.join(lines)}]"
