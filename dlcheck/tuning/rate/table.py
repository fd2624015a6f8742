"""The measured curves as CSV."""

from __future__ import annotations

import csv
import io

from dlcheck.tuning.rate.found import FoundRate

COLUMNS = ("kind", "step", "rate", "loss", "smoothed")


def to_csv(found: FoundRate) -> str:
    """Return the range test step by step, then the short runs with their score as loss and the steps they made."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    sweep = found.sweep
    for step, row in enumerate(zip(sweep.rates.tolist(), sweep.losses.tolist(), sweep.smoothed.tolist(), strict=True)):
        writer.writerow(("sweep", step, *row))
    for run in found.runs:
        writer.writerow(("short run", run.steps, run.rate, run.score, ""))
    return file.getvalue()
