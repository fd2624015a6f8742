"""G306."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, finite, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import GradientClearing


@rule(
    "G306",
    "gradients-not-zeroed",
    Severity.ERROR,
    needs=("gradient_clearing",),
    thresholds={
        "steps": Threshold(5, "a step or two before the loop may be a trial"),
        "share": Threshold(0.5, "clearing every second step, the least that can be wrong, leaves half of them"),
        "growth": Threshold(3.0, "sums of more and more gradients grow; several losses in turn do not"),
    },
    references=(
        "PyTorch documentation, torch.optim.Optimizer.zero_grad",
        "Jiang et al. 2025, TrainCheck, OSDI (a missing zero_grad)",
    ),
)
def gradients_not_zeroed(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find optimizer steps whose gradients still hold those of earlier steps.

    What it finds:
        Exactly: parameters whose gradient was not cleared between one step and the first backward pass of the
        next. Several backward passes before one step, and a clearing after it, are accumulation and no fault.
    Why it matters:
        Backward passes add to the gradient. Each step then follows the sum of all batches so far, as a
        momentum of 1 would: the steps grow and point to where the loss once fell.
    What to do:
        Call optimizer.zero_grad() once for every step, before the backward pass or after the step.
    Limits:
        Where several optimizers or losses share parameters, gradients of one may rightly be there at the step
        of another; then the norm of the gradient must have grown as well.
    Thresholds:
        steps: Steps with uncleared gradients, at least.
        share: Their share of all steps, at least.
        growth: Last gradient norm over the first that is asked for where parameters are shared.
    Sources:
        PyTorch documentation, torch.optim.Optimizer.zero_grad; Jiang et al. 2025, TrainCheck, OSDI.
    """
    seen = measured(run, GradientClearing)
    often = seen.uncleared >= limits["steps"] and share(seen.uncleared, seen.steps) >= limits["share"]
    grown = seen.norm_growth is not None and seen.norm_growth >= limits["growth"]
    if often and (grown or not seen.shared_parameters):
        yield _finding(seen)


def _finding(seen: GradientClearing) -> Finding:
    cause = (
        f"gradients are cleared now and then (by {seen.cleared_by}), but not for every step"
        if seen.cleared_by
        else "nothing clears the gradients, and every backward pass adds to them"
    )
    return gradients_not_zeroed.finding(
        f"gradients of earlier steps were still there at {seen.uncleared} of {seen.steps} optimizer steps"
        f"{at(seen.site)}",
        confidence=0.85 if seen.shared_parameters else 0.97,
        evidence={
            "steps": seen.steps,
            "uncleared": seen.uncleared,
            "backwards_per_step": finite(seen.backwards_per_step),
            "cleared_by": seen.cleared_by or None,
            "norm_growth": finite(seen.norm_growth),
        },
        where=site_where(seen.site),
        cause=cause,
        remedies=(
            Remedy("call optimizer.zero_grad() in the loop over batches, right before loss.backward()"),
            Remedy("to accumulate over k batches, call step() and zero_grad() together, every k batches"),
        ),
    )
