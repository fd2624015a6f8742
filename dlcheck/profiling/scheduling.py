"""How long this thread has been kept waiting for a core, as Linux tells it."""

from __future__ import annotations

import os
import weakref
from threading import get_ident

PLACE = "/proc/thread-self/schedstat"
"""Nanoseconds on a core, nanoseconds waiting for one, and turns taken (kernel documentation, sched-stats)."""
NONE = -1


class RunQueue:
    """Reads the run-queue delay of the calling thread; one file is kept open, as opening costs ten times a reading."""

    def __init__(self, place: str = PLACE) -> None:
        self._place = place
        self._file = NONE
        self._thread = NONE
        self._absent = False
        _QUEUES.add(self)

    def waited(self) -> float:
        """Return the seconds that the calling thread has waited for a core so far; 0 where nobody counts them."""
        if get_ident() != self._thread:
            self._open()
        if self._absent:
            return 0.0
        try:
            return int(os.pread(self._file, 64, 0).split()[1]) * 1e-9
        except (OSError, IndexError, ValueError):
            self._absent = True
            return 0.0

    @property
    def file(self) -> int:
        """Number of the open file; ``NONE`` before the first reading and after a fork."""
        return self._file

    def forget(self) -> None:
        """Close the file: after a fork it would still tell of the parent."""
        if self._file != NONE:
            os.close(self._file)
        self._file = self._thread = NONE

    def _open(self) -> None:
        self.forget()
        self._thread = get_ident()
        try:
            self._file = os.open(self._place, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._absent = True

    def __reduce__(self) -> tuple[type[RunQueue], tuple[str]]:
        return RunQueue, (self._place,)


_QUEUES: weakref.WeakSet[RunQueue] = weakref.WeakSet()


def _forked() -> None:
    for queue in list(_QUEUES):
        queue.forget()


os.register_at_fork(after_in_child=_forked)
