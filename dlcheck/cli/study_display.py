"""What a person sees while a study is searched: a table that lives in a terminal, else a line for each trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from dlcheck.cli.waiting import Waiting, moves
from dlcheck.report.lines import ascii_only

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from dlcheck.tuning.trials import StudyView


class StudyDisplay:
    """Loading, then the trials, then the trainings that confirm the best of them."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._waiting = Waiting(console)
        self._live: Live | None = None
        self._before: StudyView | None = None
        self._over = False

    def __enter__(self) -> Self:
        self._waiting.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.stop()
        self._stop()

    def show(self, view: StudyView) -> None:
        """Show a study as it is."""
        from dlcheck.tuning import live
        from dlcheck.tuning.status import done, running

        if self._over:
            return
        self._waiting.stop()
        if self._before is None and view.why:
            self.tell(view.why)
        if moves(self.console):
            self._table().update(live.Table(view, ascii=ascii_only(self.console)), refresh=True)
        else:
            for line in live.lines(self._before, view):
                self.tell(line)
        self._before = view
        self._over = view.total is not None and len(done(view)) >= view.total and not running(view)
        if self._over:
            self._stop()
            self._waiting.start("training the best again on all data")

    def tell(self, line: str) -> None:
        """Print a line, above what moves."""
        self._waiting.note(line)

    def _table(self) -> Live:
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=self.console, auto_refresh=False)
            self._live.start()
        return self._live

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
