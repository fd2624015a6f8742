"""The plotting library of the reports: Vega-Lite with its own renderer, as the one script that a page carries."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs import write_atomic

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""Names the language of a chart; nothing is ever loaded from there."""
LIBRARY = "vl-convert-python"
MAKE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"
MAKE_S = 60.0
ENTRY = "window.vegaEmbed="
"""What the script ends in; a file without it is not the library."""


@cache
def library() -> str:
    """Return vega, vega-lite and vega-embed as one script of some 900 kB; empty where it cannot be had.

    Making it takes over a second and starts a JavaScript engine, so it is made once, by a process of its own, and kept
    in the user's cache folder (XDG Base Directory Specification) under the version of the library that it came from.
    """
    try:
        kept = _cache_folder() / f"vega-{version(LIBRARY)}.js"
    except PackageNotFoundError:
        return ""
    found = _read(kept)
    if found:
        return found
    made = _made()
    if made:
        _keep(kept, made)
    return made


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return text if ENTRY in text else ""


def _made() -> str:
    try:
        done = subprocess.run([sys.executable, "-I", "-c", MAKE], capture_output=True, timeout=MAKE_S, check=True)
        return done.stdout.decode()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""


def _keep(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except (OSError, DlcheckError):
        return  # what cannot be kept is made anew next time


def _cache_folder() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (home if home.is_absolute() else Path("~/.cache").expanduser()) / "dlcheck"
