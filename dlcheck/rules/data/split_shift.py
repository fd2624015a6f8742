"""D107."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite
from dlcheck.rules.statistics import all_finite
from dlcheck.runs import Run
from dlcheck.runs.facts import SplitShift

MEANT = {"time": "a split by time", "group": "a split by groups"}
"""Splits whose parts are expected to differ, in words."""


@rule(
    "D107",
    "split-shift",
    Severity.WARNING,
    needs=("split_shift",),
    thresholds={
        "statistic": Threshold(0.1, "a tenth of one distribution lies elsewhere; less is significant in large splits"),
        "auc": Threshold(0.6, "Lopez-Paz & Oquab 2017: 0.5 is chance; one pair in ten more is told apart rightly"),
    },
    references=(
        "Rabanser, Günnemann & Lipton 2019, arXiv:1810.11953",
        "Lopez-Paz & Oquab 2017, arXiv:1610.06545",
    ),
)
def split_shift(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find training and validation samples that were not drawn alike.

    What it finds:
        Features whose distribution differs between the splits (Kolmogorov-Smirnov, corrected for many tests)
        and, agreeing with them, a classifier that tells from a sample which split it is from. One of the two
        alone is information.
    Why it matters:
        Validation then measures another task than the one trained on, and choices made by it are biased.
    What to do:
        Prepare both splits by the same code with the same statistics; shuffle before splitting; stratify.
    Limits:
        A split by time or by groups is expected to differ, and a good test of what comes later: information.
        Small splits show large differences only.
    Thresholds:
        statistic: Largest Kolmogorov-Smirnov statistic of a feature.
        auc: Lower end of the 95 % interval of the classifier's area under the curve.
    Sources:
        Rabanser, Günnemann & Lipton 2019, arXiv:1810.11953; Lopez-Paz & Oquab 2017, arXiv:1610.06545.
    """
    seen = measured(run, SplitShift)
    if min(seen.train_samples, seen.val_samples, seen.features) <= 0 or not all_finite(seen.largest_statistic):
        raise Unchecked("no features of both splits were compared")
    features = seen.shifted > 0 and seen.largest_statistic >= limits["statistic"]
    classifier = seen.auc_low is not None and seen.auc_low >= limits["auc"]
    if features or classifier:
        yield _judge(seen, sure=features and classifier)


def _judge(seen: SplitShift, *, sure: bool) -> Finding:
    meant = MEANT.get(seen.method)
    expected = f", as {meant} lets expect" if meant else ""
    return split_shift.finding(
        f"training and validation samples differ: {_numbers(seen)}{expected}",
        severity=Severity.WARNING if sure and not meant else Severity.INFO,
        confidence=0.9 if sure else 0.6,
        evidence={
            "shifted_features": seen.shifted,
            "features": seen.features,
            "largest_statistic": seen.largest_statistic,
            "smallest_p": finite(seen.smallest_p),
            "auc": finite(seen.auc),
            "auc_low": finite(seen.auc_low),
            "label_p": finite(seen.label_p),
            "split": seen.method or None,
        },
        cause=meant or "splits that are prepared differently, or cut from sorted samples without shuffling",
        remedies=(
            Remedy("compare the preparation of both splits: same code, statistics of the training split for both"),
            Remedy("shuffle or stratify before splitting, unless the split is meant to test another time or group"),
        ),
    )


def _numbers(seen: SplitShift) -> str:
    named = seen.feature_name or (f"feature {seen.feature}" if seen.feature is not None else "")
    most = f", most {named}" if named else ""
    words = [f"{seen.shifted} of {seen.features} features (statistic up to {seen.largest_statistic:.2f}{most})"]
    if seen.auc is not None and all_finite(seen.auc):
        words.append(f"a classifier tells the splits apart with an area of {seen.auc:.2f} under the curve")
    return ", ".join(words)
