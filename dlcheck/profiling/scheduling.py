"""How long this thread has been kept waiting for a core, as Linux tells it."""

from __future__ import annotations

import os
import threading

PLACE = "/proc/thread-self/schedstat"
"""Nanoseconds on a core, nanoseconds waiting for one, and turns taken (kernel documentation, sched-stats)."""


class RunQueue:
    """Reads the run-queue delay of the calling thread; one file is kept open, as opening costs ten times a reading."""

    def __init__(self, place: str = PLACE) -> None:
        self._place = place
        self._file = -1
        self._owner: tuple[int, int] = (0, 0)
        self._absent = False

    def waited(self) -> float:
        """Return the seconds that the calling thread has waited for a core so far; 0 where nobody counts them."""
        if self._absent:
            return 0.0
        owner = (os.getpid(), threading.get_ident())
        if owner != self._owner:
            self._open(owner)  # after a fork the old file would still tell of the parent
        try:
            return int(os.pread(self._file, 64, 0).split()[1]) * 1e-9
        except (OSError, IndexError, ValueError):
            self._absent = True
            return 0.0

    def _open(self, owner: tuple[int, int]) -> None:
        try:
            if self._file >= 0 and owner[0] == self._owner[0]:
                os.close(self._file)
            self._file = os.open(self._place, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._absent = True
        self._owner = owner

    def __reduce__(self) -> tuple[type[RunQueue], tuple[str]]:
        return RunQueue, (self._place,)
