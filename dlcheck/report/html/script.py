"""The treatment of a script as one HTML file in the look of all reports: what to do, the edit, before and after."""

from __future__ import annotations

from dataclasses import replace

from dlcheck.report.html.chart import Chart
from dlcheck.report.html.curves import curve_chart
from dlcheck.report.html.page import page
from dlcheck.report.html.treatment import difference_lines
from dlcheck.report.plain import number
from dlcheck.report.report import Series, loss_series, x_label
from dlcheck.report.treated_script import ScriptTreated
from dlcheck.report.treated_script_text import next_line, title


def script_html(treated: ScriptTreated) -> str:
    """Return a whole HTML document of a script's treatment; all text from the user's side is escaped."""
    told, look = title(treated)
    return page(
        "script.html",
        treated=treated,
        title=told,
        look=look,
        prescriptions=[(one, difference_lines(one.diff)) for one in treated.prescriptions],
        compared=[(one.signal, number(one.before), number(one.after), one.note) for one in treated.compared],
        curves=_curves(treated),
        next=next_line(treated),
    )


def _curves(treated: ScriptTreated) -> list[Chart]:
    """Return the losses of the script as it is and of the mended copy, where both ran."""
    if treated.after is None:
        return []
    runs = ((treated.before.run, "as it is"), (treated.after.run, "mended"))
    series: list[Series] = [replace(one, label=f"{one.label} {when}") for run, when in runs for one in loss_series(run)]
    chart = curve_chart("loss", series, x_label=x_label(treated.before.run))
    return [chart] if chart is not None else []
