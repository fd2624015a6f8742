"""M208."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite
from dlcheck.runs import Run
from dlcheck.runs.facts import BatchLeak


@rule(
    "M208",
    "batch-leak",
    Severity.ERROR,
    needs=("batch_leak",),
    thresholds={
        "least": Threshold(1e-5, "a hundred times the rounding of 32-bit numbers; independent samples give exactly 0"),
    },
    references=("Karpathy 2019, A Recipe for Training Neural Networks (use backprop to chart dependencies)",),
)
def batch_leak(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find outputs that depend on other samples of the batch, or in a causal model on later inputs.

    What it finds:
        A gradient of one sample's output with respect to another sample's input, in evaluation mode, where
        batch normalisation uses its running statistics. In a causal language model also one with respect to
        later inputs.
    Why it matters:
        Answers depend on which samples happen to share a batch, and training may use what prediction will not
        have. In a language model the next word is then read, not predicted.
    What to do:
        Look for view or reshape where permute or transpose is meant, for a softmax, mean or normalisation over
        the batch axis, for batch_first, and for a missing causal mask.
    Limits:
        Networks that compare samples of a batch on purpose (graphs of one batch, set transformers) are found
        too; leave the rule out for them. Batch statistics in training mode are not looked at.
    Thresholds:
        least: Gradient with respect to another sample, relative to that with respect to the sample's own input.
    Sources:
        Karpathy 2019, A Recipe for Training Neural Networks.
    """
    seen = measured(run, BatchLeak)
    if seen.samples < 2 and not seen.time_leak:
        raise Unchecked("a batch of one sample cannot show whether samples mix", "dlcheck check RECIPE")
    if seen.time_leak or (seen.leaks > 0 and not seen.largest < limits["least"]):
        yield _finding(seen)


def _finding(seen: BatchLeak) -> Finding:
    if seen.time_leak:
        summary, cause = "outputs depend on later inputs", "a causal mask is missing, or targets are not shifted by one"
        remedies = (
            "mask what lies ahead: is_causal=True, or a mask of minus infinity above the diagonal",
            "check that the target of each position is the next input, not the same one",
        )
    else:
        along = "" if seen.axis is None else f"; samples mix along axis {seen.axis} of the input"
        summary = f"outputs depend on other samples of the batch, for {seen.leaks} pairs of {seen.samples} samples"
        cause = f"an operation mixes the batch axis with others{along}"
        remedies = (
            "look for view or reshape where permute or transpose is meant, and for batch_first",
            "look for softmax, mean or normalisation over the batch axis",
        )
    return batch_leak.finding(
        summary,
        confidence=0.95,
        evidence={
            "samples": seen.samples,
            "leaking_pairs": seen.leaks,
            "largest_relative_gradient": finite(seen.largest),
            "axis": seen.axis,
            "example": " and ".join(map(str, seen.example)) or None,
        },
        where=Where(),
        cause=cause,
        remedies=tuple(Remedy(text) for text in remedies),
    )
