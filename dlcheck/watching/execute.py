"""Running a program as Python itself would: its own ``__main__``, arguments, exit status and traceback."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from types import ModuleType, TracebackType

from dlcheck.errors import ExitCode, Terminated
from dlcheck.watching.place import is_own
from dlcheck.watching.target import Target


class Stopped(BaseException):
    """Ends a run that ``--stop-on`` found hopeless; no ``except Exception`` of a script catches it."""


class Dismissed(BaseException):
    """Ends a rank whose launcher sent SIGTERM, so that it can still say where it stood."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended."""

    status: int
    error: BaseException | None = None
    """The exception that ended it, other than ``SystemExit``."""
    stopped: bool = False
    """``--stop-on`` ended it."""
    dismissed: bool = False
    """The launcher of this rank ended it by SIGTERM."""


def execute(target: Target) -> Ending:
    """Run a program to its end, its threads included, and tell how it ended.

    Its traceback is printed as Python would print it, without frames of dlcheck. ``sys.argv``, ``sys.path`` and
    ``__main__`` stay the program's, since its exit handlers are still to come.
    """
    module = ModuleType("__main__")
    vars(module).update({"__builtins__": __builtins__, "__cached__": None, "__spec__": None, **target.attributes})
    _keep.append(sys.modules["__main__"])
    sys.modules["__main__"] = module
    sys.argv[:] = target.argv
    if not sys.flags.safe_path:
        sys.path[:1] = [target.path_entry]
    ending = _run(target, module)
    _await_threads()
    return ending


_keep: list[ModuleType] = []
"""Modules that were ``__main__``: without a reference Python would empty them."""


def _run(target: Target, module: ModuleType) -> Ending:
    try:
        exec(target.code, vars(module))
    except SystemExit as wish:
        return Ending(_status(wish))
    except Stopped:
        return Ending(ExitCode.FINDINGS, stopped=True)
    except Dismissed:
        return Ending(128 + signal.SIGTERM, dismissed=True)
    except Terminated as wish:  # a scheduler's end: Python would have died of it without a word
        return Ending(128 + wish.number, stopped=True)
    except BaseException as error:
        show(error)
        return Ending(ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1, error)
    return Ending(0)


def show(error: BaseException) -> None:
    """Print an exception as Python would at the end of a program, by its ``sys.excepthook``."""
    _strip(error, set())
    with contextlib.suppress(OSError, ValueError):  # closed by the script, or a broken pipe
        sys.stdout.flush()
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except Exception:
        traceback.print_exception(error)


def _strip(error: BaseException, seen: set[int]) -> None:
    """Take the frames of dlcheck out of an exception's traceback, and out of those it came from."""
    seen.add(id(error))
    error.__traceback__ = _without_own(error.__traceback__)
    for other in (error.__cause__, error.__context__, *getattr(error, "exceptions", ())):
        if isinstance(other, BaseException) and id(other) not in seen:
            _strip(other, seen)


def _without_own(trace: TracebackType | None) -> TracebackType | None:
    kept = []
    while trace is not None:
        if not is_own(trace.tb_frame.f_code.co_filename):
            kept.append(trace)
        trace = trace.tb_next
    rest: TracebackType | None = None
    for item in reversed(kept):
        rest = TracebackType(rest, item.tb_frame, item.tb_lasti, item.tb_lineno)
    return rest


def _status(wish: SystemExit) -> int:
    """Return the exit status that Python gives a ``SystemExit``; other objects than numbers are printed."""
    if wish.code is None:
        return 0
    if isinstance(wish.code, int):
        return wish.code & 0xFF
    print(wish.code, file=sys.stderr)
    return 1


def _await_threads() -> None:
    """Wait for threads that Python would wait for at its end."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
