"""Which line of the user's own code is running: found by walking the stack, at suspicious moments only."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from types import FrameType, TracebackType

from dlcheck.runs.facts import Site

OWN = str(Path(__file__).resolve().parents[1]) + os.sep
_PATHS = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_FOREIGN = (*(f"{path}{os.sep}" for path in sorted(_PATHS)), OWN, "<")
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


def is_own(file: str) -> bool:
    """Return whether a file is part of dlcheck."""
    return file.startswith(OWN)


def is_users(file: str) -> bool:
    """Return whether a file is neither Python's, nor installed, nor dlcheck's."""
    return not file.startswith(_FOREIGN) and not any(part in file for part in _INSTALLED)


def user_site(depth: int = 2) -> Site | None:
    """Return the innermost line of the user's code on the stack, None where there is none.

    Args:
        depth: Frames to leave out at the inner end.
    """
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            return Site(shown(frame.f_code.co_filename), frame.f_lineno)
        frame = frame.f_back
    return None


def crash_site(error: BaseException) -> Site | None:
    """Return the innermost line of the user's code that an exception went through."""
    found = [
        Site(shown(trace.tb_frame.f_code.co_filename), trace.tb_lineno)
        for trace in traces(error)
        if is_users(trace.tb_frame.f_code.co_filename) and trace.tb_lineno is not None
    ]
    return found[-1] if found else None


def shown(file: str) -> str:
    """Return a path as a person would write it: relative where it lies in the working folder."""
    try:
        relative = os.path.relpath(file)
    except (ValueError, OSError):  # another drive, or a folder that is gone
        return file
    return file if relative.startswith("..") else relative


def traces(error: BaseException) -> Iterable[TracebackType]:
    """Yield the places that an exception went through, the outermost first."""
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next
