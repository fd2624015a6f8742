"""C414."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.pairing import TRAIN_FIRST, Pair, need_pair
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.reference import start_loss
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.statistics import tail, trend
from dlcheck.runs import Run


@dataclass(frozen=True, slots=True)
class _Better:
    pair: Pair
    below: float
    """Median share of the training loss by which validation lies below it."""
    always: float
    """Share of the validations in the last half that lie below."""
    train_gained: float
    val_gained: float
    """Shares of the start that were gained."""


@rule(
    "C414",
    "validation-better-than-train",
    Severity.INFO,
    needs=("val_loss", TRAIN_FIRST),
    thresholds={
        "least_points": Threshold(5, "Kendall 1975: a sign test of five reaches 0.05"),
        "below": Threshold(0.04, "more than the progress of half an epoch explains at the end of a run"),
        "always": Threshold(0.8, "a sign test's level of 0.05 for twelve points"),
        "high": Threshold(0.1, "training that gained less than a tenth of its start has not learned"),
        "low": Threshold(0.3, "validation that gained three times that has"),
        "level": Threshold(0.005, "one-sided level of its fall; six points in order, five do not do"),
    },
    references=(
        "Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 5.2",
        "Srivastava et al. 2014, JMLR 15 (dropout)",
    ),
    prescriptions=(
        Prescription("measure the training loss in evaluation mode, without augmentation"),
        Prescription("look for samples that both splits share"),
    ),
)
def val_better(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a validation loss that lies below the training loss all along.

    What it finds:
        A validation loss clearly below the training loss at nearly all validations of the last half. Where
        training has hardly learned and validation has, it is a warning: high training error with low
        validation error is the sign of a bug in the code.
    Why it matters:
        Mostly it is harmless: dropout, augmentation and label smoothing burden training alone, and the mean
        over an epoch lags behind its end. It is also what leaked or easier validation samples look like.
    What to do:
        Measure the training loss in evaluation mode without augmentation; if it stays higher, look for
        samples that both splits share, and for a difference between the two computations.
    Limits:
        Losses in different units are not compared.
    Thresholds:
        least_points: Fewer validations are not judged.
        below: Distance below the training loss, relative to it, in the middle of the last half.
        always: Share of the validations in the last half that lie below.
        high: Share of the start that training gained, at most, for the warning.
        low: Share of the start that validation gained, at least, for the warning.
        level: One-sided significance level of the fall of validation, for the warning.
    Sources:
        Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 5.2; Srivastava et al. 2014, JMLR 15.
    """
    pair = need_pair(run, int(limits["least_points"]))
    if not pair.comparable:
        raise Unchecked("training and validation loss are not in the same unit")
    found = _measure(run, pair)
    if found.below > limits["below"] and found.always >= limits["always"]:
        bug = found.train_gained < limits["high"] and found.val_gained > limits["low"]
        bug = bug and trend(pair.val_x, pair.val.y).falls(limits["level"])
        yield _judge(found, bug)


def _measure(run: Run, pair: Pair) -> _Better:
    train, val = pair.train_at, pair.val.level
    start = start_loss(run, float(pair.train.y[0]))
    below = (train - val) / np.maximum(np.abs(train), 1e-12)
    scale = max(abs(start), 1e-12)
    return _Better(
        pair,
        below=float(np.median(tail(below, 0.5))),
        always=float(np.mean(tail(pair.val.y, 0.5) < tail(train, 0.5))),
        train_gained=(start - float(train.min())) / scale,
        val_gained=(start - float(val.min())) / scale,
    )


def _judge(found: _Better, bug: bool) -> Finding:
    pair = found.pair
    step, epoch = pair.val.place(0)
    said = f"val_loss lies {found.below:.0%} below {pair.train.name}"
    harmless = "dropout, augmentation or smoothing that burden training alone, or a mean over the epoch that lags"
    return val_better.finding(
        f"{said}, which has hardly fallen: look for a bug in the code" if bug else said,
        severity=Severity.WARNING if bug else Severity.INFO,
        confidence=0.85 if bug else 0.9,
        evidence={
            "below": found.below,
            "share_of_validations": found.always,
            "train_gained": found.train_gained,
            "val_gained": found.val_gained,
        },
        where=Where(metric="val_loss", step=step, epoch=epoch),
        cause="a bug in the code: the two losses are not computed alike, or validation has seen the answers"
        if bug
        else harmless,
    )
