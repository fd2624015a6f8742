"""D106."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import at, listed, share, site_where
from dlcheck.rules.statistics import wilson_interval
from dlcheck.runs import Run
from dlcheck.runs.facts import SplitOverlap

HELD_OUT = re.compile(r"val|test|dev|hold|eval")
"""What a variable is called that is meant to hold other samples than those of training."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    severity: Severity
    confidence: float
    words: str
    """What kind of overlap it is, to stand after the numbers."""
    cause: str
    remedies: tuple[Remedy, ...]
    near: bool = False
    """It is judged with those samples that are only almost equal."""


SPLIT_AGAIN = (
    Remedy("split the samples once, by index, and check that no index is in both parts"),
    Remedy("drop repeated samples before splitting"),
)
COPIES = (
    Remedy("drop repeated samples, or keep all copies of one in the same split (split.method = group)"),
    Remedy("repeat rare samples only after the split, in training alone"),
)
OTHER_DATA = (Remedy("evaluate on samples that were held out from training"),)


@rule(
    "D106",
    "train-val-leak",
    Severity.ERROR,
    needs=("split_overlap",),
    thresholds={
        "leak": Threshold(0.02, "the error of good classifiers is of this size (Barz & Denzler 2020 found 3.3 %)"),
        "some": Threshold(0.005, "a quarter of it: enough to turn the order of two models"),
        "least": Threshold(3, "measured on small real tables: one or two pairs of equal samples are usual"),
        "natural": Threshold(2.0, "of pairs drawn at random into two splits, twice as many are torn as stay"),
        "near": Threshold(0.1, "ten times the share that is that close by chance"),
    },
    references=(
        "Barz & Denzler 2020, J. Imaging 6(6) (ciFAIR)",
        "Kapoor & Narayanan 2023, Patterns 4(9)",
    ),
)
def train_val_leak(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find validation or test samples that are in the training data too.

    What it finds:
        Inputs of the validation or test split that equal one of training bit for bit, more often than copies
        within the training split explain. An overlap that they do explain is a data set that holds copies
        itself: a warning, for validation is too good all the same, or information where features are so few
        and coarse that different samples are equal by chance. Almost equal samples alone are a warning only
        when they are many.
    Why it matters:
        The result is invalid: what was learned by heart counts as if it had been understood.
    What to do:
        Split by index, once; drop copies before splitting; keep all samples of one source (patient, video,
        site) in one split.
    Limits:
        A loop that evaluates on the training loader itself, or on its data under a name that does not speak of
        validation, reports training accuracy on purpose: information. Different photographs of one object
        are not equal and not seen here.
    Thresholds:
        leak: Lower end of the 95 % interval of the shared part for an error.
        some: The same for a warning.
        least: Fewer equal samples are information.
        natural: Times the share of copies within training that a shared part may be without a leak.
        near: Lower end of the interval of almost equal samples for a warning.
    Sources:
        Barz & Denzler 2020, J. Imaging 6(6) (ciFAIR); Kapoor & Narayanan 2023, Patterns 4(9).
    """
    seen = measured(run, SplitOverlap)
    if seen.samples <= 0 or seen.train_samples <= 0:
        raise Unchecked("no samples of both splits were looked at")
    if seen.exact <= 0 and seen.near <= 0:
        return
    verdict = _same_data(seen) if _whole(seen) else _overlap(seen, limits)
    if verdict is not None:
        yield _judge(seen, verdict)


def _whole(seen: SplitOverlap) -> bool:
    """Return whether the evaluation reads all that training reads, and nothing else."""
    alike = seen.exact >= seen.samples >= seen.train_samples
    return seen.same_loader or (seen.same_dataset and alike)


def _same_data(seen: SplitOverlap) -> _Verdict:
    words = "the evaluation reads the training data itself"
    cause = "a loader that was built from the training data"
    named = HELD_OUT.search(seen.named.lower())
    if seen.same_loader or (not named and seen.site is not None):
        words += ": it says how well these samples are learned, nothing about new ones"
        return _Verdict(Severity.INFO, 0.8, words, cause, OTHER_DATA)
    called = f" under the name {seen.named}" if named else ""
    return _Verdict(Severity.ERROR, 0.95, words + called, cause, (*OTHER_DATA, *SPLIT_AGAIN))


def _overlap(seen: SplitOverlap, limits: Limits) -> _Verdict | None:
    low = wilson_interval(share(seen.exact, seen.samples), seen.samples)[0]
    if seen.exact < limits["least"]:
        return _near(seen, limits)
    copies = share(seen.train_duplicates, seen.train_samples)
    if low <= limits["natural"] * wilson_interval(copies, seen.train_samples)[1] and copies > 0:
        return _natural(seen, low, limits)
    words = "the split does not keep them apart"
    cause = "rows that were split twice, copied before the split, or drawn with replacement"
    if low > limits["leak"]:
        return _Verdict(Severity.ERROR, 0.95, words, cause, SPLIT_AGAIN)
    severity = Severity.WARNING if low > limits["some"] else Severity.INFO
    return _Verdict(severity, 0.85, words, "a few samples that occur twice in the data", COPIES)


def _natural(seen: SplitOverlap, low: float, limits: Limits) -> _Verdict:
    """Judge an overlap that is no larger than copies within training make likely."""
    if seen.distinct_values is not None:
        words = f"inputs can take only {seen.distinct_values} different values, so that equal ones are to be expected"
        return _Verdict(Severity.INFO, 0.8, words, "few and coarse features", COPIES)
    severity = Severity.WARNING if low > limits["leak"] else Severity.INFO
    words = f"the data set itself holds copies ({seen.train_duplicates} within training), and the split parts them"
    return _Verdict(severity, 0.8, words, "samples that occur several times, or were repeated before the split", COPIES)


def _near(seen: SplitOverlap, limits: Limits) -> _Verdict:
    low = wilson_interval(share(seen.exact + seen.near, seen.samples), seen.samples)[0]
    many = low > limits["near"]
    words = (
        "copies that were changed a little, or samples of one source" if many else "they may well be twins by chance"
    )
    if seen.exact + seen.near == 1:
        words = "it may well be a twin by chance"
    cause = "augmented copies made before the split, or several samples of one source" if many else "a few twins"
    return _Verdict(Severity.WARNING if many else Severity.INFO, 0.7, words, cause, COPIES, near=True)


def _judge(seen: SplitOverlap, verdict: _Verdict) -> Finding:
    name = {"val": "validation", "test": "test"}.get(seen.split, seen.split)
    count = seen.exact + seen.near * verdict.near
    pairs = [f"{one}/{other}" for one, other in seen.examples]
    return train_val_leak.finding(
        f"{count} of {seen.samples} {name} samples {_equal(count, verdict.near and seen.near > 0)}: "
        f"{verdict.words}{at(seen.site)}",
        severity=verdict.severity,
        confidence=verdict.confidence,
        evidence={
            "equal_samples": seen.exact,
            "near_samples": seen.near,
            "samples": seen.samples,
            "share": share(seen.exact, seen.samples),
            "same_label": seen.same_label,
            "copies_within_training": seen.train_duplicates,
            "pairs": listed(pairs, most=10) if pairs else None,
        },
        where=site_where(seen.site),
        cause=verdict.cause,
        remedies=verdict.remedies,
    )


def _equal(count: int, near: bool) -> str:
    if near:
        return "is almost equal to a training sample" if count == 1 else "equal training samples or almost do"
    return "equals a training sample" if count == 1 else "equal training samples"
