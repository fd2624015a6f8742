"""Reports: one file a format; outcomes in, text out. Imports no torch."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcheck.report.chart import draw_curves
    from dlcheck.report.files import write_reports
    from dlcheck.report.html.run import to_html
    from dlcheck.report.json import to_json
    from dlcheck.report.report import Report, Series, loss_series, metric_series
    from dlcheck.report.text import render_text
    from dlcheck.report.triage import Triage

_HOMES = {
    "Report": "report",
    "Series": "report",
    "Triage": "triage",
    "draw_curves": "chart",
    "loss_series": "report",
    "metric_series": "report",
    "render_text": "text",
    "to_html": "html.run",
    "to_json": "json",
    "write_reports": "files",
}

__all__ = [
    "Report",
    "Series",
    "Triage",
    "draw_curves",
    "loss_series",
    "metric_series",
    "render_text",
    "to_html",
    "to_json",
    "write_reports",
]


if not TYPE_CHECKING:  # type checkers read the imports above, and so know what is not there

    def __getattr__(name: str) -> object:
        # One format is asked for at a time; the others need not load.
        if name not in _HOMES:
            raise AttributeError(f"module 'dlcheck.report' has no attribute {name!r}")
        return getattr(import_module(f"dlcheck.report.{_HOMES[name]}"), name)
