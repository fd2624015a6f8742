"""G309."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Severity
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import FINITE, rate
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, finite, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import LossScale


@rule(
    "G309",
    "loss-scale-collapse",
    Severity.ERROR,
    needs=("loss_scale",),
    thresholds={
        "scale": Threshold(1.0, "the scaler is there to multiply; below 1 it hides an overflow of the loss itself"),
        "skipped": Threshold(0.05, "a scaler that doubles every 2000 steps skips one in 2000; a hundred times that"),
        "steps": Threshold(5, "steps skipped, so that a few at the end of a short run are none"),
    },
    references=(
        "Micikevicius et al. 2018, Mixed Precision Training, arXiv:1710.03740",
        "PyTorch documentation, torch.amp.GradScaler",
    ),
    prescriptions=(
        Prescription(
            "compute in bfloat16, which has the range of 32 bits", {"train.precision": "bf16"}, expects=FINITE
        ),
        Prescription("compute the loss, softmax, norms and exp in 32 bits"),
        rate(0.3),
    ),
)
def loss_scale_collapse(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a gradient scaler that keeps skipping steps, or whose scale has fallen below 1.

    What it finds:
        A scale below 1 at the end; or, after the first 200 steps, in which a scaler looks for its scale, a
        share of skipped steps far above what the search for a larger scale costs.
    Why it matters:
        A skipped step trains nothing. A scale that only falls means that gradients overflow at any scale:
        there is a NaN or infinity in the network, and every step is skipped.
    What to do:
        Compute in bfloat16, which needs no scaler; look for the operation that overflows in half precision.
    Limits:
        Skips within the first 200 steps, and single ones later, are how a scaler works.
    Thresholds:
        scale: Scale at the end, below is an error.
        skipped: Share of the later steps that were skipped, more is a warning.
        steps: Their number, at least.
    Sources:
        Micikevicius et al. 2018, arXiv:1710.03740; PyTorch documentation, torch.amp.GradScaler.
    """
    seen = measured(run, LossScale)
    if seen.steps <= 0 or seen.skipped < limits["steps"]:
        return  # also a scaler that is switched off, and one that starts low on purpose
    late = share(seen.skipped_late, seen.late_steps)
    if seen.last < limits["scale"] and seen.last < seen.first:
        yield _finding(
            run,
            seen,
            f"the loss scale fell from {seen.first:g} to {seen.last:.2g}, with {seen.skipped} of {seen.steps} steps "
            "skipped",
            Severity.ERROR,
        )
    elif late > limits["skipped"] and seen.skipped_late >= limits["steps"]:
        yield _finding(
            run,
            seen,
            f"the gradient scaler skipped {seen.skipped_late} of {seen.late_steps} steps after the first 200",
            Severity.WARNING,
        )


def _finding(run: Run, seen: LossScale, summary: str, severity: Severity) -> Finding:
    return loss_scale_collapse.finding(
        summary + at(seen.site),
        severity=severity,
        confidence=0.95 if severity is Severity.ERROR else 0.88,
        evidence={
            "steps": seen.steps,
            "skipped": seen.skipped,
            "skipped_late": seen.skipped_late,
            "first_scale": finite(seen.first),
            "last_scale": finite(seen.last),
            "lowest_scale": finite(seen.lowest),
        },
        where=site_where(seen.site),
        cause="gradients overflow again and again: numbers too large for half precision, or NaN at any scale",
    )
