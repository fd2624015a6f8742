"""A function called in a process of its own: what it takes of memory and of the device goes with it."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import IO, Any

from dlcheck.errors import DlcheckError, one_line
from dlcheck.profiling.ending import die_with, how_ended, last_line
from dlcheck.recipe.code import own_process

PATIENCE_S = 2.0
"""Seconds for a process to end in peace."""
POLL_S = 0.2


class Died(DlcheckError):
    """The process ended without an answer, as one that the system ended for its memory does."""


class Aside:
    """A process that answers calls one after another. Use it as a context: nothing is left running."""

    def __init__(self) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self._pipe, theirs = multiprocessing.Pipe()
        try:
            self._process = subprocess.Popen(
                own_process("dlcheck.profiling.aside", str(theirs.fileno())),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        finally:
            theirs.close()

    def call(self, function: Callable[..., Any], *args: Any, timeout_s: float = 60.0, **named: Any) -> Any:
        """Call a function of a module with what can be pickled, and return its answer.

        Raises:
            Died: the process ended, or did not answer in time and was ended.
            DlcheckError: the function raised; one line.
        """
        try:
            self._pipe.send((function.__module__, function.__qualname__, args, named))
            word, answer = self._answer(timeout_s)
        except (EOFError, OSError):
            raise Died(self._death()) from None
        if word == "error":
            raise DlcheckError(answer)
        return answer

    def _answer(self, timeout_s: float) -> tuple[str, Any]:
        until = time.monotonic() + timeout_s
        while not self._pipe.poll(POLL_S):
            if self._process.poll() is not None and not self._pipe.poll(0):
                raise EOFError
            if time.monotonic() > until:
                self.close()
                raise Died(f"no answer within {timeout_s:.0f} s")
        word, answer = self._pipe.recv()
        return word, answer

    def _death(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_S)
        return f"its process {how_ended(self._process.returncode)}{last_line(self._errors, ': ')}"

    def close(self) -> None:
        """End the process and whatever it started."""
        with contextlib.suppress(OSError):
            self._pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.05)
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._errors.close()


def aside(function: Callable[..., Any], *args: Any, timeout_s: float = 60.0, **named: Any) -> Any:
    """Call one function in a process of its own.

    Raises:
        DlcheckError: it raised, died or took too long; one line.
    """
    with Aside() as other:
        return other.call(function, *args, timeout_s=timeout_s, **named)


def main() -> None:
    """Answer a parent's calls until it is gone."""
    parent = Connection(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=die_with, args=(parent.fileno(),), daemon=True).start()
    while True:
        try:
            module, name, args, named = parent.recv()
        except (EOFError, OSError):
            break
        _tell(parent, _called(module, name, args, named))
    os._exit(0)


def _called(module: str, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[str, Any]:
    try:
        return "answer", getattr(importlib.import_module(module), name)(*args, **named)
    except DlcheckError as error:
        return "error", str(error)
    except BaseException as error:  # the user's code runs here
        return "error", f"{type(error).__name__}: {one_line(error)}"


def _tell(parent: Connection, answer: tuple[str, Any]) -> None:
    try:
        parent.send(answer)
    except OSError:
        os._exit(1)


if __name__ == "__main__":
    main()
