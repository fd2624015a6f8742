"""Lines of a report in the terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def ascii_only(console: Console) -> bool:
    """Return whether a terminal or a file cannot show more than ASCII."""
    return console.encoding.lower() not in ("utf-8", "utf8") or console.is_dumb_terminal


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
