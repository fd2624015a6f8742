"""Where a step's time went, of what a run measured of itself."""

from __future__ import annotations

import numpy as np

from dlcheck.report.html.bars import Bar, look_of, stacked_chart
from dlcheck.report.html.chart import Chart
from dlcheck.report.profile_tables import WORDS
from dlcheck.report.profile_words import percent, span
from dlcheck.runs.facts import StepTimes
from dlcheck.runs.run import Run


def phase_chart(run: Run) -> Chart | None:
    """Return the median time of each phase of a step side by side; None where a profile tells it better, or nothing."""
    if StepTimes.NAME in run.facts or run.phases.empty:
        return None
    frame = run.phases[np.isfinite(run.phases["seconds"].to_numpy(np.float64))]
    medians = {
        str(name): float(value) for name, value in frame.groupby("phase", observed=True)["seconds"].median().items()
    }
    total = sum(medians.values())
    if total <= 0:
        return None
    order = [*(name for name in WORDS if name in medians), *(name for name in medians if name not in WORDS)]
    bars = [
        Bar(
            WORDS.get(name, name),
            medians[name],
            f"{span(medians[name])}, {percent(medians[name] / total)}",
            look_of(name),
        )
        for name in order
    ]
    return stacked_chart(f"Where a step goes: {span(total)}", bars)
