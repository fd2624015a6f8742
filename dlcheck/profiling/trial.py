"""A trial in a process of its own, at rest between blocks of steps."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import time
from typing import IO, Any

from dlcheck.errors import DlcheckError
from dlcheck.profiling.birth import Process, bear
from dlcheck.profiling.ending import how_ended, last_line
from dlcheck.profiling.found import Found
from dlcheck.profiling.settings import Block, TrialSettings

SHARE = 0.8
"""Of a time limit, after which the child tells what it has rather than be ended."""
PATIENCE_S = 2.0
"""Seconds for a child to end in peace."""
POLL_S = 0.2


class ChildTrial:
    """A ``Trial`` whose training runs in a child process. Use it as a context, or ``close`` it."""

    def __init__(self, settings: TrialSettings, timeout_s: float) -> None:
        self.settings, self.timeout_s = settings, timeout_s
        self.startup_s = 0.0
        self.found: Found | None = None
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the trial
        self._child, theirs = multiprocessing.Pipe()
        try:
            self._process = bear(theirs.fileno(), self._errors.fileno(), timeout_s)
        except BaseException:
            self._child.close()
            self._errors.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        """The child; its group of processes has the same number."""
        return self._process.pid

    def start(self) -> ChildTrial:
        """Wait for the first step.

        Raises:
            DlcheckError: it never came; one line.
        """
        self._send(self.settings)
        _, self.startup_s, self.found, modules = self._answer("ready", self.timeout_s)
        self._process.needed(modules)
        return self

    def run(self, steps: int, *, skip: int = 0) -> Block:
        """Make ``skip`` steps and then ``steps`` more, and return the rows of the latter.

        The very first step, which ``start`` waited for, counts among those of the first block. A training with
        accumulated gradients has a row for every batch.

        Raises:
            DlcheckError: the child died, or the user's code failed in it; one line.
        """
        self._send(("run", steps, skip, self.timeout_s * SHARE))
        _, block, self.found = self._answer("block", self.timeout_s)
        assert isinstance(block, Block)
        return block

    def close(self) -> None:
        """End the child and all its workers, at once; nothing is left running."""
        with contextlib.suppress(OSError):
            self._child.send(("quit",))
        with contextlib.suppress(OSError):
            self._child.close()
        if not self._errors.closed:
            self._end()
            self._errors.close()

    def _end(self) -> None:
        self._process.wait(PATIENCE_S)
        group = self._process.pid
        for number in (signal.SIGTERM, signal.SIGKILL):
            until = time.monotonic() + PATIENCE_S / 4
            while _alive(group, self._process) and time.monotonic() < until:
                time.sleep(0.01)
            with contextlib.suppress(OSError):
                os.killpg(group, number)
        self._process.wait(PATIENCE_S)
        self._process.release()

    def __enter__(self) -> ChildTrial:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, message: Any) -> None:
        try:
            self._child.send(message)
        except OSError:
            raise DlcheckError(self._death()) from None

    def _answer(self, word: str, seconds: float) -> tuple[Any, ...]:
        until = time.monotonic() + seconds
        while not self._child.poll(POLL_S):
            if self._process.poll() is not None and not self._child.poll(0):
                raise DlcheckError(self._death())
            if time.monotonic() > until:
                raise DlcheckError(f"{self.settings.subject.name}: no training step within {seconds:.0f} s")
        try:
            message: tuple[Any, ...] = self._child.recv()
        except (EOFError, OSError):
            raise DlcheckError(self._death()) from None
        if message[0] == "error":
            raise DlcheckError(self._with_last_line(message[1]))
        assert message[0] == word
        return message

    def _death(self) -> str:
        self._process.wait(PATIENCE_S)
        how, last = how_ended(self._process.returncode), last_line(self._errors, ": ")
        return f"{self.settings.subject.name}: its process {how} while it was profiled{last}"

    def _with_last_line(self, line: str) -> str:
        """Return an error with the last that was printed, where it says nothing by itself."""
        return line + last_line(self._errors, ": ") if "exited with status" in line else line


def _alive(group: int, process: Process) -> bool:
    process.poll()
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def start_trial(settings: TrialSettings, *, timeout_s: float = 60) -> ChildTrial:
    """Start a child process that trains as the settings say, and wait for its first step.

    Args:
        settings: What to run, and how.
        timeout_s: Longest wait for the first step, and for every block; a block that takes longer comes short.

    Raises:
        DlcheckError: the subject cannot be run, or its code fails; one line. No process is left.
    """
    trial = ChildTrial(settings, timeout_s)
    try:
        return trial.start()
    except BaseException:
        trial.close()
        raise
