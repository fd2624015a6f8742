"""D111."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import at, finite, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import ValidationRepeat


@rule(
    "D111",
    "stochastic-validation",
    Severity.WARNING,
    needs=("validation_repeat",),
    thresholds={
        "difference": Threshold(1e-3, "ten times what half precision rounds a value of unit scale by"),
    },
    references=("PyTorch tutorial, Transfer Learning for Computer Vision (random transforms for training only)",),
)
def stochastic_validation(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find validation samples that change from one reading to the next.

    What it finds:
        The same validation sample, read twice, with different input values. The same samples in another
        order are no finding, nor is rounding.
    Why it matters:
        Random changes meant for training make validation harder and noisier than what it should measure.
    What to do:
        Give the validation data set transforms of its own, without chance: resize and crop the centre.
    Limits:
        Validation samples that are generated anew on purpose look the same; fix their seed, and two
        validations can be compared.
    Thresholds:
        difference: Largest change of a value, in standard deviations of the inputs.
    Sources:
        PyTorch tutorial, Transfer Learning for Computer Vision (random transforms for training only).
    """
    seen = measured(run, ValidationRepeat)
    if seen.samples <= 0:
        raise Unchecked("no validation sample was read twice")
    # NaN beside NaN differs from itself and is no chance, hence the comparison this way round.
    if seen.changed > 0 and seen.largest_difference > limits["difference"]:
        yield _judge(seen)


def _judge(seen: ValidationRepeat) -> Finding:
    return stochastic_validation.finding(
        f"{seen.changed} of {seen.samples} validation samples changed when they were read again{at(seen.site)}",
        confidence=0.93,
        evidence={
            "changed": seen.changed,
            "samples": seen.samples,
            "share": share(seen.changed, seen.samples),
            "largest_difference": finite(seen.largest_difference),
        },
        where=site_where(seen.site),
        cause="random augmentation that is left on for validation, or both splits sharing one data set's transforms",
        remedies=(
            Remedy("give the validation split its own data set object, with transforms free of chance"),
            Remedy("where validation samples are drawn at random on purpose, seed them the same each time"),
        ),
    )
