"""Whether training and validation samples look drawn alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcheck.checks.data.features import MOST_FEATURES, columns, reduce
from dlcheck.checks.data.samples import Numbers, Samples, Values
from dlcheck.checks.data.simple import fold_numbers
from dlcheck.runs.facts import SplitShift

MOST = 1000
"""Samples of each split that are compared."""
COMPONENTS = 20
"""Principal components that take the place of more than 50 features."""
LEVEL = 0.01
TREES = 60


@dataclass(frozen=True, slots=True)
class FeatureTests:
    """Two-sample Kolmogorov-Smirnov tests, a feature each."""

    statistic: npt.NDArray[np.float64]
    p: npt.NDArray[np.float64]
    """After Holm's correction (1979, Scand. J. Stat. 6(2))."""


def split_shift(train: Samples, val: Samples, *, method: str, classes: int | None, scale: bool = True) -> SplitShift:
    """Compare the splits feature by feature, by a classifier that tells them apart, and by their labels.

    Args:
        train: Training samples.
        val: Validation samples; both need inputs that are numbers.
        method: How they were split.
        classes: None for numbers to predict.
        scale: Standardise features.
    """
    ours, theirs = train.some(MOST), val.some(MOST)
    x, other = columns(ours), columns(theirs)
    components = x.shape[1] > MOST_FEATURES
    x, other = reduce(x, other, most=COMPONENTS if components else MOST_FEATURES, scale=scale and not train.image)
    tests = compare_features(x, other)
    auc, low, high = tell_apart(x, other)
    strongest = int(tests.statistic.argmax()) if tests.statistic.size else None
    original = strongest if not components and x.shape[1] == columns(ours).shape[1] else None
    return SplitShift(
        method=method,
        train_samples=len(ours),
        val_samples=len(theirs),
        features=x.shape[1],
        shifted=int((tests.p < LEVEL).sum()),
        smallest_p=float(tests.p.min(initial=1.0)),
        largest_statistic=float(tests.statistic.max(initial=0.0)),
        feature=original,
        auc=auc,
        auc_low=low,
        auc_high=high,
        label_p=_compare_labels(train, val, classes),
    )


def compare_features(x: Numbers, other: Numbers) -> FeatureTests:
    """Test each column of two samples (samples, features)."""
    from scipy.stats import ks_2samp

    found = [ks_2samp(x[:, i], other[:, i], method="asymp") for i in range(x.shape[1])]
    p = np.array([test.pvalue for test in found], dtype=np.float64)
    order = np.argsort(p)
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return FeatureTests(np.array([test.statistic for test in found], dtype=np.float64), corrected)


def tell_apart(x: Numbers, other: Numbers) -> tuple[float, float, float]:
    """Return the out-of-fold area under the ROC curve of trees that tell two samples apart, and its 95 % interval.

    The classifier two-sample test of Lopez-Paz and Oquab (2017, ICLR); the interval after Hanley and McNeil (1982,
    Radiology 143(1)), widened for folds that share their fitted samples (measured on splits drawn alike).
    """
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import roc_auc_score

    both = np.concatenate((x, other))
    which = np.repeat(np.array([0, 1]), (len(x), len(other)))
    if min(len(x), len(other)) < 6 or not both.shape[1]:
        return 0.5, 0.0, 1.0
    fold, score = fold_numbers(which, 3, classes=True), np.empty(len(both))
    for number in range(3):
        left = fold != number
        trees = ExtraTreesClassifier(TREES, min_samples_leaf=5, class_weight="balanced", random_state=0)
        score[~left] = trees.fit(both[left], which[left]).predict_proba(both[~left])[:, 1]
    auc = float(roc_auc_score(which, score))
    half = 1.96 * _auc_error(auc, len(x), len(other))
    return auc, max(0.0, auc - half), min(1.0, auc + half)


def _auc_error(auc: float, first: int, second: int) -> float:
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (second - 1) * (q1 - auc * auc) + (first - 1) * (q2 - auc * auc)
    return math.sqrt(max(spread, 1e-12) / (first * second))


def _compare_labels(train: Samples, val: Samples, classes: int | None) -> float | None:
    """Return the p-value of a χ² test for classes, of a Kolmogorov-Smirnov test for numbers."""
    from scipy.stats import chi2_contingency, ks_2samp

    ours, theirs = _labels(train), _labels(val)
    if ours.ndim > 1 and ours.shape[1:] != (1,):
        return None
    if classes is None:
        return float(ks_2samp(ours.ravel(), theirs.ravel(), method="asymp").pvalue)
    counts = np.stack(
        [np.bincount(part.ravel().astype(np.int64).clip(0), minlength=classes) for part in (ours, theirs)]
    )
    counts = counts[:, counts.sum(axis=0) > 0]
    expected = counts.sum(axis=0) * counts.sum(axis=1, keepdims=True) / counts.sum()
    rare = expected.min(axis=0) < 5
    if rare.any():  # the test's law holds from five expected on: rare classes are taken together
        counts = np.concatenate((counts[:, ~rare], counts[:, rare].sum(axis=1, keepdims=True)), axis=1)
    if counts.shape[1] < 2:
        return None
    return float(chi2_contingency(counts).pvalue)


def _labels(samples: Samples) -> Values:
    return samples.target if samples.labels is None else samples.labels
