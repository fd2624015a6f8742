"""What a person sees while something takes long: one line that moves in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dlcheck.errors import printable
from dlcheck.report.lines import ascii_only, hanging
from dlcheck.report.look import console as make_console
from dlcheck.report.look import width_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

LOADING = "loading PyTorch and the data"
SHOWN_FROM_S = 2.0
"""Waiting that is told in seconds."""
TERMINAL_S = 2.0
PIPE_S = 10.0
"""Seconds between two lines at least where no line may move: in a terminal, and in a pipe or a log."""


class Waiting:
    """Tells on stderr what is under way, from the first moment on where a person looks.

    Args:
        console: Where to tell it; None: standard error.
        quiet: Say nothing.
        first: What is under way at the beginning.
        each: Every word counts, so that a pipe gets a line for each, and none for ``first``; else a few.
    """

    def __init__(
        self, console: Console | None = None, *, quiet: bool = False, first: str = LOADING, each: bool = False
    ) -> None:
        self.console = console or make_console(stderr=True, quiet=quiet)
        self._words, self._first, self._each = "", first, each
        self._live: Live | None = None
        self._begun = self._told = 0.0

    def __enter__(self) -> Self:
        self._told = time.monotonic()
        self.start(self._first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def moves(self) -> bool:
        """Whether a line may be drawn over."""
        return moves(self.console)

    def start(self, words: str) -> None:
        """Show the line, where there is none."""
        self._words, self._begun = printable(words), time.monotonic()
        if self.moves:
            self._draw()
        elif sys.stderr.isatty():
            self._print()

    def say(self, words: str) -> None:
        """Tell what is under way now."""
        self._words, self._begun = printable(words), time.monotonic()
        if self.moves:
            self._draw()
            return
        least = TERMINAL_S if sys.stderr.isatty() else 0.0 if self._each else PIPE_S
        if time.monotonic() - self._told >= least:
            self._print()

    def note(self, line: str) -> None:
        """Print a line that stays, above what moves."""
        told = hanging(printable(line), width_of(self.console))
        self.console.print(told, markup=False, highlight=False, soft_wrap=True)

    def stop(self) -> None:
        """Take the line away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _print(self) -> None:
        self._told = time.monotonic()
        self.console.print(self._words, markup=False, highlight=False, soft_wrap=True)

    def _draw(self) -> None:
        if self._live is not None:
            return
        from rich.live import Live
        from rich.spinner import Spinner

        self._spinner = Spinner("line" if ascii_only(self.console) else "dots")
        self._live = Live(console=self.console, get_renderable=self._line, transient=True, refresh_per_second=8)
        self._live.start(refresh=True)

    def _line(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        waited = time.monotonic() - self._begun
        told = f"{self._words}  {waited:.0f} s" if waited >= SHOWN_FROM_S else self._words
        grid = Table.grid(padding=(0, 1))
        grid.add_row(self._spinner, Text(told, no_wrap=True, overflow="ellipsis"))
        return grid


def moves(console: Console) -> bool:
    """Return whether a terminal can be drawn over, and a person wants that."""
    return console.is_interactive and console.is_terminal and not console.quiet
