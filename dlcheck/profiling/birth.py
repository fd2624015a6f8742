"""How a parent comes to child processes: from a nursery that lives as long as any of its children is in use."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

from dlcheck.errors import DlcheckError
from dlcheck.profiling.ending import last_line
from dlcheck.profiling.nursery import NEW, PID, RUNNING, STATUS
from dlcheck.recipe.code import own_process

POLL_S = 0.02
PATIENCE_S = 2.0
Place = tuple[str, tuple[tuple[str, str], ...]]
"""Working folder and environment, which children have from their nursery."""


class Process:
    """A child of a nursery."""

    def __init__(self, pid: int, nursery: Nursery) -> None:
        self.pid = pid
        """Its group of processes has the same number."""
        self._nursery = nursery
        self.returncode: int | None = None
        """As ``subprocess.Popen`` has it: a signal is negative."""

    def needed(self, modules: str) -> None:
        """Take note of what it has loaded, for those that come after it."""
        self._nursery.modules = modules

    def poll(self) -> int | None:
        """Return how it ended, None while it runs."""
        if self.returncode is None:
            self.returncode = self._nursery.status(self.pid)
        return self.returncode

    def wait(self, seconds: float) -> int | None:
        """Return how it ended, None when it still runs after so long."""
        until = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < until:
            time.sleep(POLL_S)
        return self.returncode

    def release(self) -> None:
        """Give it up: it has ended, and nobody will ask."""
        self._nursery.release()


class Nursery:
    """The parent's end of a nursery."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.children = 0
        """In use."""
        self.lost = False
        """It does not answer, or not to what was asked."""
        self.modules = ""
        """To be loaded before the next child, in a line each."""
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the nursery
        self._socket, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            own_process("dlcheck.profiling.nursery", str(theirs.fileno())),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()

    def bear(self, control: int, errors: int, seconds: float) -> Process:
        """Return a new child with these open files as its pipe and its standard error.

        It begins with the modules that the first one turned out to need.

        Raises:
            DlcheckError: PyTorch cannot be loaded, or not in so many seconds.
        """
        self._socket.settimeout(seconds)
        names, self.modules = self.modules.encode(), ""
        try:
            socket.send_fds(self._socket, [NEW], [control, errors])
            pid = self._asked(PID.pack(len(names)) + names)
        except OSError:
            raise DlcheckError(f"a process to profile in did not start{last_line(self._errors, ': ')}") from None
        self.children += 1
        return Process(pid, self)

    def status(self, pid: int) -> int | None:
        """Return how a child ended, None while it runs; 0 where nobody knows any more."""
        if self.lost:
            return 0
        try:
            found = self._asked(STATUS + PID.pack(pid))
        except OSError:
            return 0
        return None if found == RUNNING else found

    def release(self) -> None:
        """A child is in use no more; with the last one the nursery ends."""
        self.children -= 1
        if self.children <= 0:
            self.close()

    def close(self) -> None:
        """End it."""
        global _nursery
        if _nursery is self:
            _nursery = None
        self._socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_S)
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def _asked(self, request: bytes) -> int:
        self.lost = True  # if this is interrupted, a later question would get the answer to this one
        self._socket.sendall(request)
        answer = self._socket.recv(PID.size, socket.MSG_WAITALL)
        if len(answer) < PID.size:
            raise ConnectionError
        self.lost = False
        return int(PID.unpack(answer)[0])


_nursery: Nursery | None = None
_lock = threading.Lock()


def bear(control: int, errors: int, seconds: float) -> Process:
    """Return a new child process, in the present working folder and environment.

    Raises:
        DlcheckError: it did not start.
    """
    global _nursery
    place = (str(Path.cwd()), tuple(sorted(os.environ.items())))
    with _lock:
        if _nursery is None or _nursery.place != place or _nursery.lost:
            _nursery = Nursery(place)
        nursery = _nursery
        try:
            return nursery.bear(control, errors, seconds)
        except BaseException:
            if not nursery.children:
                nursery.close()
            raise
