"""A study while it runs: one table in a terminal, a line for every change elsewhere. Imports no torch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dlcheck.report.plain import printable
from dlcheck.report.sketch import spark
from dlcheck.runs.facts.search import trial_title
from dlcheck.tuning.status import (
    baseline_row,
    best_line,
    best_row,
    counts_line,
    done,
    endings,
    running,
    seconds_left,
    span,
)
from dlcheck.tuning.trials import Ending, StudyView, TrialRow

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 24
"""Columns of a running trial's curve."""
MOST_RUNNING = 8
"""Running trials that are shown; of more, how many."""
STYLES = {"ok": "green", "pruned": "cyan", "lost": "dim", "stopped": "dim"}
"""Of endings; all others are yellow. The word always stands there too."""


def Table(view: StudyView, *, ascii: bool = False, now: float | None = None) -> RenderableType:
    """Return a study as something that Rich can show: how far it is, its best, what runs, how trials ended.

    Args:
        view: The study at this moment.
        ascii: Only ASCII characters, for terminals that know no others.
        now: Wall time in seconds since 1970; None: the clock's.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [
        Text(_head(view, now), "bold"),
        Text(printable(best_line(view)), "green" if _gained(view) else ""),
    ]
    if endings(view):
        parts.append(Text.assemble("ended: ", *_ended(view)))
    if running(view):
        parts.append(_running(view, ascii, time.time() if now is None else now))
    return Group(*parts)


def lines(old: StudyView | None, new: StudyView) -> list[str]:
    """Return a line for every trial that ended between two moments, with how far the study is."""
    before = {row.number for row in old.trials if row.ending is not None} if old is not None else set()
    ended = [row for row in new.trials if row.ending is not None and row.number not in before]
    best = best_row(new)
    count = len(done(new)) - sum(row.counts for row in ended)
    told: list[str] = []
    for row in ended:
        count += row.counts
        of = f"/{new.total}" if new.total is not None else ""
        told.append(f"[{count}{of}] {_line(row, new, best is not None and best.number == row.number)}")
    return told


def _head(view: StudyView, now: float | None) -> str:
    left = seconds_left(view, now)
    text = counts_line(view).partition(" (")[0]
    return printable(f"{text}, about {span(left)} left" if left is not None and running(view) else text)


def _gained(view: StudyView) -> bool:
    best, own = best_row(view), baseline_row(view)
    return best is not None and own is not None and not best.baseline


def _ended(view: StudyView) -> list[tuple[str, str] | str]:
    parts: list[tuple[str, str] | str] = []
    for name, count in endings(view):
        parts += [", "] if parts else []
        parts.append((f"{count} {name}", STYLES.get(name, "yellow")))
    return parts


def _running(view: StudyView, ascii: bool, now: float) -> RenderableType:
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, pad_edge=False, show_header=True, header_style="dim")
    for name, side in (("trial", "right"), ("epoch", "right"), (view.metric, "right"), ("", "left"), ("time", "right")):
        grid.add_column(Text(printable(name)), justify="right" if side == "right" else "left", no_wrap=True)
    shown = running(view)
    for row in shown[:MOST_RUNNING]:
        last = row.curve[-1] if row.curve else None
        of = f"/{view.epochs}" if view.epochs else ""
        grid.add_row(
            f"{row.number}",
            f"{last[0] if last else 0}{of}",
            f"{last[1]:.4g}" if last else "",
            Text(spark([value for _, value in row.curve], WIDTH, ascii=ascii)),
            span(max(now - row.started, 0.0)) if row.started is not None else "",
        )
    if len(shown) > MOST_RUNNING:
        grid.add_row("", "", "", f"and {len(shown) - MOST_RUNNING} more", "")
    return grid


def _line(row: TrialRow, view: StudyView, best: bool) -> str:
    name = trial_title(row.number, baseline=row.baseline)
    value = f"{view.metric} {row.value:.4g}" if row.value is not None else f"no {view.metric}"
    why = row.diagnosis or row.reason
    told = f": {why}" if why and row.ending not in (Ending.ok, Ending.pruned) else ""
    mark = ", best so far" if best else ""
    tried = ", ".join(f"{path} {_short(value)}" for path, value in row.params.items())
    with_what = f", with {tried}" if tried else ""
    took = f"{row.epochs} epochs in {span(row.seconds)}"
    return printable(f"{name} {row.ending}, {value}, {took}{with_what}{mark}{told}")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
