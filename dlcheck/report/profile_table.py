"""A table of a profile, before any format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    cells: tuple[str, ...]
    """In words; the first names the line."""
    bar: float | None = None
    """Length of the bar from 0 to 1, None without one."""
    low: float | None = None
    high: float | None = None
    """Ends of an interval, on the scale of the bar."""
    kind: str = ""
    """``best``, ``now``, a part of a step, or nothing: how the bar looks."""


@dataclass(frozen=True, slots=True)
class Table:
    """Lines under a heading."""

    title: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""
