"""Lines of a report in the terminal."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

ASCII = {"…": "...", "–": "-", "−": "-", "→": "->", "×": "x", "·": "*", "±": "+/-", "≥": ">=", "≤": "<="}
"""What stands for signs that a terminal cannot show; others are taken apart, or a question mark."""


def ascii_only(console: Console) -> bool:
    """Return whether a terminal or a file cannot show more than ASCII."""
    return console.encoding.lower() not in ("utf-8", "utf8") or console.is_dumb_terminal


def spelled(words: str) -> str:
    """Return words in ASCII."""
    if words.isascii():
        return words
    told = "".join(ASCII.get(sign, sign) for sign in words)
    apart = unicodedata.normalize("NFKD", told)
    return "".join(sign for sign in apart if not unicodedata.combining(sign)).encode("ascii", "replace").decode()


def hanging(text: str, width: int, left: int = 0) -> str:
    """Return text in lines of at most ``width``; those after the first hang by two. Empty where there is none."""
    lines = textwrap.wrap(
        text,
        max(width, 20),
        initial_indent=" " * left,
        subsequent_indent=" " * (left + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)
