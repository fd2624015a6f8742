"""What the callbacks for other people's trainers share: a session that begins and ends when theirs does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from dlcheck.diagnosis.settings import Settings
from dlcheck.watching.session import Session

if TYPE_CHECKING:
    from dlcheck.report.report import Report


class FrameworkWatch:
    """Watches from ``start`` to ``stop``; the run folder and the report are those of ``dlcheck watch``."""

    def __init__(self, name: str, run_dir: str | Path | None, select: Iterable[str], ignore: Iterable[str]) -> None:
        self._name, self._path = name, Path(run_dir) if run_dir is not None else None
        self._settings = Settings(tuple(select), tuple(ignore))
        self._session: Session | None = None
        self.report: Report | None = None
        """The diagnosis, once the training is over."""

    def start(self, model: nn.Module) -> None:
        """Begin to listen.

        Raises:
            DlcheckError: the run folder exists.
        """
        if self._session is not None:
            return
        self._session = Session.create(self._name, self._settings, self._path)
        self._session.begin()
        assert self._session.observer is not None
        self._session.observer.models.alive.update(model.modules())

    def stop(self, error: BaseException | None = None, *, quiet: bool = False) -> None:
        """End listening, write the run folder and print the diagnosis to standard error."""
        session, self._session = self._session, None
        if session is None:
            return
        session.end(finished=error is None, error=error)
        self.report = session.report()
        if not quiet:
            from dlcheck.report.look import console
            from dlcheck.report.plain import folder_line
            from dlcheck.report.text import render_text

            render_text([self.report], console(stderr=True), ending=[folder_line(session.folder.path)])


class FrameworkCallback:
    """What the callbacks of all frameworks have: how they are made, and what they found."""

    framework = ""
    """For the name of the run folder."""

    def __init__(
        self,
        run_dir: str | Path | None = None,
        *,
        select: Iterable[str] = (),
        ignore: Iterable[str] = (),
        quiet: bool = False,
    ) -> None:
        super().__init__()
        self._watch, self._quiet = FrameworkWatch(self.framework, run_dir, select, ignore), quiet

    @property
    def report(self) -> Report | None:
        """The diagnosis, once the training is over."""
        return self._watch.report
