"""D112."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.data.relation import Restored, checked, clear, restored
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import finite
from dlcheck.runs import Run
from dlcheck.runs.facts import LabelSignal, SplitShift, fact

MEANT = ("time", "group")
"""Ways of splitting whose parts may differ on purpose."""


@rule(
    "D112",
    "misaligned-labels",
    Severity.ERROR,
    needs=("label_signal",),
    thresholds={
        "gain": Threshold(0.1, "a tenth of what is left above chance, by the interval's lower end: no chance result"),
    },
    references=("Northcutt, Athalye & Mueller 2021, arXiv:2103.14749 (errors in labels of test sets)",),
)
def misaligned_labels(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find labels that belong to other samples than those they stand at.

    What it finds:
        Labels that say nothing about their inputs as they are given, but do when they are shifted by some
        samples or put in another order; or a relation that holds in one split and is missing in the other.
    Why it matters:
        Training fits what is not so, or validation measures what is not so: no result is valid.
    What to do:
        Pair inputs and labels by a key, not by position; use one table of class codes for both splits.
    Limits:
        The relation is looked for with a simple model; where it finds none anywhere, uninformative-labels
        applies. Splits by time or groups may differ on purpose: information. For numbers to predict, a
        relation that validation has of its own is a shift, not a misalignment.
    Thresholds:
        gain: Gain over chance that makes a relation, relative to what is left up to 1.
    Sources:
        Northcutt, Athalye & Mueller 2021, arXiv:2103.14749.
    """
    seen = checked(measured(run, LabelSignal))
    other = restored(seen, limits["gain"])
    if other is not None:
        yield _shifted(seen, other)
    elif (words := _one_split(seen, limits["gain"])) is not None:
        yield _torn(seen, words, _severity(run, seen, limits["gain"]))


def _one_split(seen: LabelSignal, gain: float) -> str | None:
    """Return in words which split lacks the relation that the other has; None when none does."""
    if clear(seen.train_low, seen.chance, gain):
        lost = seen.val_low <= seen.chance and seen.val_high < seen.train_low
        return "validation" if lost else None
    if seen.train_low <= seen.chance and clear(seen.val_own_low, seen.chance, gain):
        return "training" if seen.train_high < (seen.val_own_low or 0.0) else None
    return None


def _severity(run: Run, seen: LabelSignal, gain: float) -> Severity:
    shift = fact(run, SplitShift)
    if shift is not None and shift.method in MEANT:
        return Severity.INFO
    own = clear(seen.val_own_low, seen.chance, gain)
    trained = clear(seen.train_low, seen.chance, gain)
    if seen.score != "accuracy" and trained and (own or seen.val_own_score is None):
        return Severity.INFO
    return Severity.ERROR


def _shifted(seen: LabelSignal, other: Restored) -> Finding:
    return misaligned_labels.finding(
        f"with labels {other.words} a simple model reaches {seen.score} {other.score:.3g}, "
        f"as given {seen.train_score:.3g} (a constant answer {seen.chance:.3g})",
        confidence=0.95,
        evidence={
            "given_score": finite(seen.train_score),
            "restored_score": finite(other.score),
            "restored_low": finite(other.low),
            "shift": seen.shift,
            "chance": seen.chance,
        },
        cause="inputs and labels that were read in different orders, or from lists of different beginning",
        remedies=(
            Remedy("pair inputs and labels by a key (file name, row number), not by position"),
            Remedy("look for a header line, a dropped row or a sort that one of the two lists had alone"),
        ),
    )


def _torn(seen: LabelSignal, split: str, severity: Severity) -> Finding:
    own = seen.val_own_score
    codes = own is not None and clear(seen.val_own_low, seen.chance, 0.1) and split == "validation"
    cause = "class codes or a preparation that differ between the splits" if codes else "labels shuffled in one split"
    good = seen.train_score if split == "validation" else own or 0.0
    bad = seen.val_score if split == "validation" else seen.train_score
    rest = "training" if split == "validation" else "validation"
    return misaligned_labels.finding(
        f"a simple model finds the labels of {rest} in its inputs ({seen.score} {good:.3g}), "
        f"those of {split} not ({bad:.3g}; a constant answer has {seen.chance:.3g})",
        severity=severity,
        confidence=0.9 if severity is Severity.ERROR else 0.6,
        evidence={
            "train_score": finite(seen.train_score),
            "train_low": seen.train_low,
            "val_score": finite(seen.val_score),
            "val_high": seen.val_high,
            "val_own_score": finite(own),
            "chance": seen.chance,
        },
        cause=cause,
        remedies=(
            Remedy("use one table from class names to codes for both splits"),
            Remedy("look at ten validation samples with their labels, and at the code that reads them"),
        ),
    )
