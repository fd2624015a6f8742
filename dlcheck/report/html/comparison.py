"""Several runs side by side as one HTML file in the look of all reports."""

from __future__ import annotations

from collections.abc import Sequence

from dlcheck.report.comparison import CAUTION, MOST_CURVES, Comparison, curves, next_after, overview
from dlcheck.report.html.chart import Chart
from dlcheck.report.html.curves import curve_chart
from dlcheck.report.html.page import page
from dlcheck.report.html.run import MOST_CHARTED, run_view


def comparison_html(comparison: Comparison) -> str:
    """Return a whole HTML document: the runs side by side, then each in full; all words of the user's are escaped."""
    head, rows = overview(comparison)
    names = [run.name for run in comparison.runs]
    full = comparison.runs[:MOST_CHARTED]
    return page(
        "comparison.html",
        comparison=comparison,
        head=head,
        rows=list(zip(rows, [run.report.verdict for run in comparison.runs], strict=True)),
        linked=len(full),
        charts=_charts(comparison),
        differing_head=("setting", *names),
        differing=[(key, *values) for key, values in comparison.differing.items()],
        findings_head=("finding", *names),
        findings=[(key, *values) for key, values in comparison.findings.items()],
        caution=CAUTION,
        next=next_after(comparison),
        left_out=_left_out(comparison),
        runs=[run_view(run.report, place, layers=len(full) <= 3) for place, run in enumerate(full, start=1)],
    )


def _charts(comparison: Comparison) -> Sequence[Chart]:
    along = {run.along for run in comparison.runs}
    label = along.pop() if len(along) == 1 else "epoch or step"
    charts = [
        curve_chart(title, series, x_label=label, may_log="loss" in title, group="compared")
        for title, series in curves(comparison)
    ]
    return [chart for chart in charts if chart is not None]


def _left_out(comparison: Comparison) -> str:
    more = len(comparison.runs) - MOST_CURVES
    return f"curves of the first {MOST_CURVES} runs; {more} more are in the table alone" if more > 0 else ""
