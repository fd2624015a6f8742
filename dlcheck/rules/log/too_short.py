"""R703."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.course import signal_series
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.runs import Run

LOSSES = ("train_loss", "train_eval_loss", "batch_loss", "val_loss")


@rule(
    "R703",
    "too-short",
    Severity.INFO,
    needs=(LOSSES,),
    thresholds={
        "points": Threshold(6, "Kendall 1975: four points reach 0.05 only in unbroken order; two more for noise")
    },
    references=("Kendall 1975, Rank Correlation Methods, 4th edition, appendix table 1",),
)
def too_short(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a log with too few points to judge the course of a loss.

    What it finds:
        A run whose longest loss series has fewer points than trends need.
    Why it matters:
        With so few points a trend cannot be told from chance, so most rules about curves do not judge.
    What to do:
        Log more often, or judge again when the run is longer.
    Limits:
        Exact checks, such as that for NaN, work on any length.
    Thresholds:
        points: Fewest points of the longest loss series.
    Sources:
        Kendall 1975, Rank Correlation Methods, 4th edition.
    """
    lengths = {name: len(signal_series(run, name)) for name in LOSSES}
    longest = max(lengths, key=lambda name: lengths[name])
    if lengths[longest] >= limits["points"]:
        return
    yield too_short.finding(
        f"the longest loss series, {longest}, has {lengths[longest]} points",
        confidence=0.99,
        evidence={"points": lengths[longest], "needed": int(limits["points"])},
        remedies=(Remedy("log every few steps, or let the run go on"),),
    )
