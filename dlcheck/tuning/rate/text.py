"""What a person reads: the curve in the terminal, the suggestion, and how sure it is."""

from __future__ import annotations

import math

import numpy as np

from dlcheck.report.chart import draw_curves
from dlcheck.report.plain import printable
from dlcheck.report.report import Series
from dlcheck.tuning.rate.found import FoundRate

SIGNIFICANT = 2
"""Digits of a rate: the third says nothing that a training would feel."""
UNSEEN = 1.0
"""Times the first loss above the first from which curves are cut, so that their interesting part keeps the room."""


def plain_rate(rate: float) -> str:
    """Return a rate as it stands in a recipe: ``0.0042``, ``3e-05``."""
    return f"{rate:.{SIGNIFICANT}g}"


def render(found: FoundRate, *, subject: str | None = None, width: int = 78, ascii: bool = False) -> str:
    """Return the report as text without any escapes, its last line what to do next.

    Args:
        found: What to tell.
        subject: What commands take to name it; None: its name.
        width: Columns of the chart.
        ascii: Only ASCII characters in the chart.
    """
    lines = [f"{printable(found.name)}: schedule {printable(found.schedule)}, batches of {found.batch_size}", ""]
    lines += [_chart(found, width, ascii), "", *_verdict(found), _rules(found), _cost(found)]
    lines += [f"note: {printable(note)}" for note in found.notes]
    return "\n".join([*lines, _next(found, subject or found.name)]) + "\n"


def _chart(found: FoundRate, width: int, ascii: bool) -> str:
    rates, smoothed = found.sweep.readable
    if not len(rates):
        return "no finite loss to draw: it was none from the first step on"
    shown = np.minimum(smoothed, smoothed[0] + UNSEEN * max(abs(smoothed[0]), 1e-12))
    series = [Series("loss of the range test, smoothed", np.log10(rates), shown)]
    runs = sorted((math.log10(run.rate), run.score) for run in found.runs if math.isfinite(run.score))
    runs = [(rate, score) for rate, score in runs if score <= shown.max()]
    if runs:
        series.append(Series("loss of short runs", np.array([r for r, _ in runs]), np.array([s for _, s in runs])))
    marks = {} if found.suggestion is None else {"suggested": round(math.log10(found.suggestion), 2)}
    return draw_curves(series, width=width, height=16, marks=marks, x_label="log10(rate)", ascii=ascii)


def _verdict(found: FoundRate) -> list[str]:
    stable = "none of those tried" if found.largest_stable is None else plain_rate(found.largest_stable)
    if found.suggestion is None or found.interval is None:
        return [f"no suggestion     {printable(found.why)}", f"largest stable    {stable}"]
    low, high = found.interval
    present = "inside the interval" if low <= found.rate <= high else "outside the interval"
    return [
        f"suggested rate    {plain_rate(found.suggestion)}",
        f"interval          {plain_rate(low)} to {plain_rate(high)} ({found.decades or 0.0:.1f} decades)",
        f"present rate      {found.rate:g}, {present}",
        f"largest stable    {stable}",
    ]


def _rules(found: FoundRate) -> str:
    told = (f"{name} {'-' if rate is None else plain_rate(rate)}" for name, rate in found.rules.items())
    return f"each rule         {', '.join(told)}"


def _cost(found: FoundRate) -> str:
    return f"cost              {found.steps} steps, {found.seconds:.1f} s; everything put back (hash before = after)"


def _next(found: FoundRate, subject: str) -> str:
    name = printable(subject)
    if found.suggestion is None:
        return f"next: dlcheck check {name}"
    return f"next: dlcheck train {name} --set optimizer.lr={plain_rate(found.suggestion)}"
