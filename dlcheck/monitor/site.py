"""Which line of the user's own code is at work."""

from __future__ import annotations

import re
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
    path = Path(file).resolve().as_posix()
    return not file.startswith("<") and not path.startswith(_foreign()) and "/site-packages/" not in path


def user_site(frame: FrameType | None = None) -> Site | None:
    """Return the innermost line of the user's code that is being executed, or None when none is.

    Args:
        frame: Where to begin; unset: the caller.
    """
    place: FrameType | None = frame or sys._getframe(1)
    while place is not None:
        if is_own(place.f_code.co_filename):
            return Site(_shown(place.f_code.co_filename), place.f_lineno)
        place = place.f_back
    return None


def traced_site(lines: list[str]) -> Site | None:
    """Return the innermost line of the user's code in a formatted stack, outermost first."""
    for line in reversed(lines):
        found = _LINE.search(line)
        if found and is_own(found["file"]):
            return Site(_shown(found["file"]), int(found["line"]))
    return None


def _shown(file: str) -> str:
    """Return a path as a person would write it: relative where it lies in the working folder."""
    try:
        return Path(file).resolve().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return file


@cache
def _foreign() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = [paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"]]
    packages = [str(Path(str(module.__file__)).parent) for module in (torch, dlcheck)]
    return tuple(f"{Path(folder).resolve().as_posix()}/" for folder in [*folders, *packages])
