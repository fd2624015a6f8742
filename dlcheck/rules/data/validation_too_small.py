"""D108."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite
from dlcheck.rules.statistics import all_finite
from dlcheck.runs import Run
from dlcheck.runs.facts import ValidationSize


@rule(
    "D108",
    "validation-too-small",
    Severity.INFO,
    needs=("validation_size",),
    thresholds={
        "half_width": Threshold(0.1, "two networks ten points apart cannot be told apart then"),
        "useless": Threshold(0.3, "10 samples at an accuracy of 0.5: the interval covers most of what there is"),
        "regression": Threshold(30, "the spread of 30 squared errors makes their mean uncertain by a quarter"),
        "regression_useless": Threshold(8, "half of the mean squared error is chance then"),
    },
    references=("Wilson 1927, J. Am. Stat. Assoc. 22(158)", "Bouthillier et al. 2021, arXiv:2103.03098"),
)
def validation_too_small(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a validation split too small to show the differences that are looked for.

    What it finds:
        A 95 % interval of validation accuracy that reaches far to both sides; for regression few samples; a
        class without any validation sample.
    Why it matters:
        The best epoch and the best hyperparameters are then chosen by chance.
    What to do:
        A larger share for validation, cross-validation, or the mean over several seeds.
    Limits:
        Small data sets leave no choice; then treat differences within the interval as none. Information,
        unless the interval makes validation useless.
    Thresholds:
        half_width: Half of the 95 % interval of the accuracy, as a share of 1.
        useless: The same for a warning.
        regression: Validation samples of a regression.
        regression_useless: The same for a warning.
    Sources:
        Wilson 1927, J. Am. Stat. Assoc. 22(158); Bouthillier et al. 2021, arXiv:2103.03098.
    """
    seen = measured(run, ValidationSize)
    if seen.samples <= 0:
        raise Unchecked("there are no validation samples")
    small, useless = _size(seen, limits)
    if small or seen.smallest_class == 0:
        yield _judge(run, seen, useless=useless)


def _size(seen: ValidationSize, limits: Limits) -> tuple[bool, bool]:
    """Return whether the split is small, and whether it is too small for anything."""
    if seen.half_width is not None and all_finite(seen.half_width):
        return seen.half_width > limits["half_width"], seen.half_width > limits["useless"]
    return seen.samples < limits["regression"], seen.samples < limits["regression_useless"]


def _judge(run: Run, seen: ValidationSize, *, useless: bool) -> Finding:
    width = seen.half_width
    if width is not None and all_finite(width):
        words = f"accuracy on {seen.samples} validation samples is known to ± {100 * width:.0f} points only"
    else:
        words = f"only {seen.samples} validation samples"
    missing = "; a class has none" if seen.smallest_class == 0 else ""
    return validation_too_small.finding(
        words + missing,
        severity=Severity.WARNING if useless else Severity.INFO,
        confidence=0.95,
        evidence={
            "samples": seen.samples,
            "half_width": finite(width),
            "score": finite(seen.score),
            "smallest_class": seen.smallest_class,
        },
        cause="a small data set, or a small share of it for validation",
        remedies=(
            patched(run, "cross-validate: every sample validates once", {"data.split.folds": 5}),
            Remedy("give validation a larger share of the samples"),
            Remedy("treat differences within the interval as none, and compare means over several seeds"),
        ),
    )
