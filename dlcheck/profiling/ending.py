"""How a child process ended, and that it ends with its parent."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import IO

LONGEST = 300
"""Of a line that a child printed, in characters."""


def how_ended(status: int | None) -> str:
    """Return in words how a process ended, by what ``Popen`` says of it."""
    return "ended" if status is None or status >= 0 else f"was ended by {signal.Signals(-status).name}"


def last_line(errors: IO[bytes], before: str = "") -> str:
    """Return the last line of a child's standard error after ``before``; empty where it printed none."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return f"{before}{lines[-1].strip()[:LONGEST]}" if lines else ""


def die_with(file: int, grace_s: float = 0.0) -> None:
    """Wait for the parent's end, and end this process group with it, however busy it is.

    Args:
        file: of the connection to the parent.
        grace_s: seconds in which it may end by itself.
    """
    watch = select.poll()
    watch.register(file, select.POLLHUP)
    watch.poll()
    time.sleep(grace_s)
    os.killpg(os.getpgrp(), signal.SIGKILL)
