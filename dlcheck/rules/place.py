"""Where a finding lies, and how its evidence is written."""

import math
from collections.abc import Iterable
from dataclasses import replace

from dlcheck.findings import Where
from dlcheck.runs.facts import Site


def at(site: Site | None, where: Where | None = None) -> Where:
    """Return the place with the line of the user's code added, where it is known."""
    where = where or Where()
    return where if site is None else replace(where, file=site.file, line=site.line)


def finite(*values: float | None) -> bool:
    """Return whether every value is known and a finite number."""
    return all(value is not None and math.isfinite(value) for value in values)


def listed(values: Iterable[object], most: int = 10) -> str:
    """Return the first few values, parted by commas; "…" stands for the rest."""
    words = [str(value) for value in values]
    return ", ".join(words[:most] + ["…"] * (len(words) > most))
