"""Reports: one file a format; outcomes in, text out. Imports no torch."""

from dlcheck.report.chart import draw_curves
from dlcheck.report.files import write_reports
from dlcheck.report.html import to_html
from dlcheck.report.json import to_json
from dlcheck.report.report import Report, Series, loss_series, metric_series
from dlcheck.report.text import render_text

__all__ = [
    "Report",
    "Series",
    "draw_curves",
    "loss_series",
    "metric_series",
    "render_text",
    "to_html",
    "to_json",
    "write_reports",
]
