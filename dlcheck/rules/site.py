"""Where in the user's code a finding is, and how lists of names and odd numbers are told."""

import math
from collections.abc import Sequence
from pathlib import PurePath

from dlcheck.findings import Where
from dlcheck.runs.facts import Site


def site_where(site: Site | None, *, layer: str | None = None, step: int | None = None) -> Where:
    """Return the place of a finding; file and line where the code's own line is known."""
    if site is None:
        return Where(layer=layer, step=step)
    return Where(layer=layer, step=step, file=site.file, line=site.line)


def at(site: Site | None) -> str:
    """Return `` (train.py, line 12)`` to be put after a statement; empty when the line is not known."""
    return "" if site is None else f" ({PurePath(site.file.replace(chr(92), '/')).name}, line {site.line})"


def listed(names: Sequence[str], count: int | None = None, most: int = 3) -> str:
    """Return ``a, b, c and 4 more``; ``count`` is how many there are when not all of them are in ``names``."""
    total = max(len(names), count or 0)
    shown = list(names[:most])
    if not shown:
        return str(total)
    rest = total - len(shown)
    if rest:
        return f"{', '.join(shown)} and {rest} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def finite(value: float | None) -> float | None:
    """Return a number for the evidence, None where it is not a finite one."""
    return value if value is not None and math.isfinite(value) else None


def share(part: float, whole: float) -> float:
    """Return part over whole; 0 of nothing is 0."""
    return part / whole if whole > 0 else 0.0
