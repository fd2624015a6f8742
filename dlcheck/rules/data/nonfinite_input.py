"""D101."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.course import signal_series
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import at, listed, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import InputValues

LOSSES = {"train": ("batch_loss", "train_loss"), "val": ("val_loss",), "test": ("test_loss",)}


@rule(
    "D101",
    "nonfinite-input",
    Severity.ERROR,
    needs=("input_values",),
    thresholds={
        "unharmed": Threshold(3, "IEEE 754: what is computed from NaN is NaN, so finite losses never met it"),
    },
    references=("IEEE 754-2019, 6.2 (NaN propagates through arithmetic)",),
)
def nonfinite_input(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find NaN or infinity among the numbers that enter the network.

    What it finds:
        At least one input value that is NaN or infinite.
    Why it matters:
        NaN spreads to the loss and with one step to every weight: the run is lost from then on.
    What to do:
        Fill or drop what is missing before training, with statistics of the training split alone, and look
        for a division by a zero spread or a logarithm of 0 in the preparation.
    Limits:
        A network that masks or replaces missing values itself is harmed by none. Where values of a running
        training were seen and every loss since is finite, the finding is only for information.
    Thresholds:
        unharmed: Losses of that split, all finite, that show that the network replaces such values.
    Sources:
        IEEE 754-2019, 6.2: NaN propagates through arithmetic.
    """
    seen = measured(run, InputValues)
    if seen.values <= 0:
        raise Unchecked("no input values were looked at")
    if seen.nonfinite > 0:
        yield _judge(seen, _unharmed(run, seen, int(limits["unharmed"])))


def _unharmed(run: Run, seen: InputValues, least: int) -> bool:
    """Return whether losses after the step at which such a value was trained on are all finite."""
    if seen.step is None:
        return False
    values = [signal_series(run, name).values for name in LOSSES.get(seen.split, ())]
    found = next((series for series in values if len(series)), np.empty(0))
    return len(found) >= least and bool(np.isfinite(found).all())


def _judge(seen: InputValues, unharmed: bool) -> Finding:
    rows = f", in samples {listed([str(row) for row in seen.rows], most=5)}" if seen.rows else ""
    numbers = f"{seen.nonfinite} of {seen.values} input values of {seen.split}"
    calm = "; the losses stayed finite, so the network seems to replace them" if unharmed else ""
    return nonfinite_input.finding(
        f"{numbers} are NaN or infinite{rows}{at(seen.site)}{calm}",
        severity=Severity.INFO if unharmed else Severity.ERROR,
        confidence=0.7 if unharmed else 0.98,
        evidence={
            "nonfinite_values": seen.nonfinite,
            "values": seen.values,
            "share": share(seen.nonfinite, seen.values),
            "split": seen.split,
            "samples": listed([str(row) for row in seen.rows], most=10) if seen.rows else None,
            "features": listed([str(column) for column in seen.columns], most=10) if seen.columns else None,
        },
        where=site_where(seen.site, step=seen.step),
        cause="values that were missing in the source, or a preparation that divides by 0 or takes a logarithm of 0",
        remedies=(
            Remedy("fill the missing values with the training split's median, or drop those samples"),
            Remedy("guard the preparation: a spread of 0 before dividing, a positive number before a logarithm"),
        ),
    )
