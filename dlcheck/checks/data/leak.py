"""A single feature that gives the target away."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dlcheck.checks.data.features import columns, reduce
from dlcheck.checks.data.samples import Index, Numbers, Samples
from dlcheck.checks.data.simple import Measure, Model, Reals, Score, chance_of, measure, models, out_of_fold
from dlcheck.runs.facts import TargetInFeatures

MOST = 1500
TRIED = 6
"""Features that are given a tree of their own, the most telling by a coarse look first."""
LOOKED_AT = 256
"""Features that are looked at coarsely, those whose mean differs most between classes first."""
SIDE = 32
"""Pixels a side to which larger images are averaged."""
BINS = 16
LEAVES = 16


def target_in_features(train: Samples, classes: int | None, names: tuple[str, ...] = ()) -> TargetInFeatures | None:
    """Measure how well one feature alone predicts the target, and all others together.

    Args:
        train: Training samples.
        classes: How many; None for numbers to predict.
        names: Of the features.

    Returns:
        None with fewer than 30 samples or without a feature that varies.
    """
    some = train.some(MOST)
    x = columns(some, side=SIDE)
    y = some.target.reshape(len(some), -1)[:, 0]
    varied = np.flatnonzero(np.ptp(x, axis=0) > 0)
    if len(some) < 30 or not len(varied) or len(np.unique(y)) < 2:
        return None
    score: Score = "r2" if classes is None else "accuracy"
    varied = _strongest(x, y, classes, varied)
    coarse = np.array([_coarse(x[:, column], y, classes) for column in varied])
    tried = varied[np.argsort(-coarse, kind="stable")[:TRIED]]
    found = [(_alone(x[:, column], y, classes), int(column)) for column in tried]
    equal = [column for _, column in found if is_code(x[:, column], y, classes)]
    found.sort(key=lambda pair: -pair[0].value)
    best, feature = next((pair for pair in found if pair[1] in equal), found[0])
    second = max((alone.value for alone, column in found if column != feature), default=0.0)
    others = columns(some) if train.image else np.delete(x, feature, axis=1)
    rest = _rest(others, y, classes, score)
    return TargetInFeatures(
        features=x.shape[1],
        score=score,
        chance=chance_of(y, score),
        best=best.value,
        best_low=best.low,
        feature=feature,
        feature_name=names[feature] if len(names) == x.shape[1] else "",
        second=second,
        rest=None if rest is None else rest.value,
        rest_high=None if rest is None else rest.high,
        equal=bool(equal),
        samples=len(y),
    )


def _strongest(x: Numbers, y: npt.NDArray[Any], classes: int | None, varied: Index) -> Index:
    """Return the features that a straight line or the classes' means tell most of, where there are many."""
    if len(varied) <= LOOKED_AT:
        return varied
    z = x[:, varied] - x[:, varied].mean(axis=0)
    power = np.maximum(np.einsum("ij,ij->j", z, z), 1e-30)
    if classes is None:
        told = (z.T @ (y - y.mean()).astype(np.float32)) ** 2
    else:
        told = sum((z[y == code].sum(axis=0) ** 2 / (y == code).sum() for code in np.unique(y)), np.zeros(len(varied)))
    return np.sort(varied[np.argsort(-told / power, kind="stable")[:LOOKED_AT]])


def _coarse(feature: Numbers, y: npt.NDArray[Any], classes: int | None) -> float:
    """Return how well the feature's bins of equal count tell the target, in sample."""
    edges = np.unique(np.quantile(feature, np.arange(1, BINS) / BINS))
    place = np.searchsorted(edges, feature, side="right")
    if classes is None:
        counts = np.bincount(place, minlength=BINS).clip(1)
        means = np.bincount(place, weights=y, minlength=BINS) / counts
        return float(((means - y.mean()) ** 2 * counts).sum())
    table = np.zeros((BINS, classes))
    np.add.at(table, (place, y.astype(np.int64)), 1)
    return float(table.max(axis=1).sum())


def _alone(feature: Numbers, y: npt.NDArray[Any], classes: int | None) -> Measure:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    tree: type = DecisionTreeRegressor if classes is None else DecisionTreeClassifier
    leaves = LEAVES if classes is None else max(LEAVES, classes)
    model = Model("", lambda: tree(max_leaf_nodes=leaves, min_samples_leaf=2, random_state=0))
    predicted: Reals = out_of_fold(model, feature[:, None], y, classes=classes, folds=5)
    return measure(predicted, y)


def is_code(feature: Numbers, y: npt.NDArray[Any], classes: int | None) -> bool:
    """Return whether a feature is the target, scaled or coded: one value a class, or a line through all numbers."""
    if classes is None:
        slope, offset = np.polyfit(feature.astype(np.float64), y.astype(np.float64), 1)
        error = np.abs(slope * feature + offset - y).max()
        return bool(slope != 0 and error <= 1e-4 * float(np.std(y)))
    values, code = np.unique(feature, return_inverse=True)
    found = np.unique(y)
    pairs = len({(int(a), int(b)) for a, b in zip(code, y, strict=True)})
    return len(values) == len(found) == pairs


def _rest(x: Numbers, y: npt.NDArray[Any], classes: int | None, score: Score) -> Measure | None:
    if x.shape[1] == 0 or not (np.ptp(x, axis=0) > 0).any():
        return None
    (few,) = reduce(x)
    tries = [measure(out_of_fold(model, few, y, classes=classes), y) for model in models(score, table=True)]
    return max(tries, key=lambda found: found.value)
