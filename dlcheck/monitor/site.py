"""Which line of the user's own code is at work."""

from __future__ import annotations

import re
import site
import sys
import sysconfig
from functools import cache
from pathlib import Path
from types import FrameType

import torch

import dlcheck
from dlcheck.runs.facts import Site

_LINE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


@cache
def is_own(file: str) -> bool:
    """Return whether a source file is the user's: of no library, not of Python, and not dlcheck's."""
    return not file.startswith("<") and not Path(file).resolve().as_posix().startswith(_foreign())


def user_site(frame: FrameType | None = None) -> Site | None:
    """Return the innermost line of the user's code that is being executed, or None when none is.

    Args:
        frame: Where to begin; unset: the caller.
    """
    frame = frame or sys._getframe(1)
    while frame is not None:
        if is_own(frame.f_code.co_filename):
            return Site(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return None


def traced_site(lines: list[str]) -> Site | None:
    """Return the innermost line of the user's code in a formatted stack, outermost first."""
    for line in reversed(lines):
        found = _LINE.search(line)
        if found and is_own(found["file"]):
            return Site(found["file"], int(found["line"]))
    return None


@cache
def _foreign() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = [paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"], *site.getsitepackages()]
    packages = [Path(str(module.__file__)).parent for module in (torch, dlcheck)]
    return tuple(f"{Path(folder).resolve().as_posix()}/" for folder in [*folders, *packages])
