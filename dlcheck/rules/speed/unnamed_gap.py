"""P513."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.rules.site import at, site_where
from dlcheck.rules.speed.judging import confidence, judged, numbers, severity
from dlcheck.rules.speed.limits import thresholds
from dlcheck.rules.speed.picture import Picture, picture
from dlcheck.rules.speed.stall import Stall, gap_stall
from dlcheck.runs import Run


@rule(
    "P513",
    "unnamed-gap",
    Severity.INFO,
    needs=("step_times",),
    thresholds={
        **thresholds("share", "floor_ms"),
        "large": Threshold(0.2, "TraceML 0.5.0 calls a fifth of a step without a name critical"),
    },
    references=(
        "XProf, input-pipeline analysis (all other time: 3 and 15 %)",
        "TraceML 0.5.0, diagnosis of residual time",
    ),
)
def unnamed_gap(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find time of a step that neither loads nor computes.

    What it finds:
        Time between the arrival of the batch and the end of the optimizer's step that is no part of copying,
        forward pass, backward pass and optimizer, or time from there to the next request for a batch. A warning
        where it is large and one line of your code was seen to run in most of it.
    Why it matters:
        Logging, metrics on the CPU, checkpoints, plots and printing in every step add up, and no profiler of
        kernels shows them.
    What to do:
        Do it every hundred steps, in the background, or not at all.
    Limits:
        Evaluation and checkpoints at the end of an epoch belong to no step and are not counted.
    Thresholds:
        share: Share of the time.
        floor_ms: Milliseconds a step that it must cost.
        large: Share for a warning.
    Sources:
        XProf, input-pipeline analysis; TraceML 0.5.0.
    """
    seen = picture(run)
    stall = judged(seen, gap_stall, limits)
    if stall is not None:
        yield _finding(seen, stall, limits)


def _finding(seen: Picture, stall: Stall, limits: Limits) -> Finding:
    inside = stall.cause == "inside-step"
    return unnamed_gap.finding(
        f"{stall.share.value:.0%} of the time goes into {stall.words}{at(stall.site)}",
        severity=severity(stall, limits, "large"),
        confidence=confidence(stall, seen),
        evidence=numbers(stall, seen) | {"inside": seen.shares["inside"], "outside": seen.shares["outside"]},
        where=site_where(stall.site),
        cause="work inside the step" if inside else "work between steps, such as logging, metrics or checkpoints",
        remedies=(Remedy("do it every hundred steps rather than in each, or beside the training"),),
    )
