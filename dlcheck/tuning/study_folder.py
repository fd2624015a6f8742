"""A study's folder: made for a study, and taken away again when none comes of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs.atomic import sweep
from dlcheck.tuning.storage import DATABASE

LOCK = ".lock"
"""Whoever holds this file's lock is at work on the study."""
LOGS, CONFIRM = "trials", "confirm"


class StudyFolder:
    """Makes a study's folder; one that is made for nothing is taken away again."""

    def __init__(self, path: Path, *, own_database: bool) -> None:
        self.path, self.own_database = path, own_database
        self.new = not path.exists()

    def __enter__(self) -> Path:
        """Make the folder, or take the one that is there.

        Raises:
            DlcheckError: a file, other things' folder, or no permission.
        """
        if self.path.exists() and not self.path.is_dir():
            raise DlcheckError(f"{self.path}: a file, not a study's folder; choose another --study-dir")
        if not self.new and any(self.path.iterdir()) and not _is_study(self.path):
            raise DlcheckError(f"{self.path}: not a study's folder, and not empty; choose another --study-dir")
        logs, database = self.path / LOGS, self.path / DATABASE
        if self.own_database and logs.is_dir() and any(logs.iterdir()) and not database.exists():
            raise DlcheckError(f"{self.path}: holds logs of trials but no {DATABASE}; choose another --study-dir")
        try:
            (self.path / LOGS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DlcheckError(f"{self.path}: cannot be made: {error.strerror}") from None
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self.new and isinstance(error, DlcheckError):
            with suppress(OSError):
                (self.path / LOCK).unlink(missing_ok=True)
                (self.path / LOGS).rmdir()
                self.path.rmdir()


def clear(folder: Path) -> None:
    """Take away what commands that were killed left half written; none may be at work in the folder."""
    for path in (folder, folder / LOGS, folder / CONFIRM, *folder.glob(f"{LOGS}/*"), *folder.glob(f"{CONFIRM}/*")):
        sweep(path)


def _is_study(path: Path) -> bool:
    logs = path / LOGS
    begun = [*path.iterdir()] == [logs] and not any(logs.iterdir())  # by a command that was killed at once
    return begun or (path / LOCK).exists() or (path / DATABASE).exists()
