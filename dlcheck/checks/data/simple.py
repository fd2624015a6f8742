"""Simple models on few features: what can be learnt cheaply, measured out of fold."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dlcheck.checks.data.samples import Index, Numbers
from dlcheck.rules.statistics import wilson_interval

Reals = npt.NDArray[np.float64]
Score = Literal["accuracy", "r2"]
TREES = 40
RESAMPLES = 200
"""Bootstrap samples of an R², whose standard deviation makes its interval."""


@dataclass(frozen=True, slots=True)
class Model:
    """A kind of simple model."""

    name: str
    make: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Measure:
    """A score and its interval."""

    value: float
    low: float
    high: float


def models(score: Score, *, table: bool) -> tuple[Model, Model]:
    """Return two cheap models of different kinds: a linear one, and trees for tables or neighbours for the rest."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    trees = {"n_estimators": TREES, "min_samples_leaf": 2, "random_state": 0}
    if score == "r2":
        second = (lambda: ExtraTreesRegressor(**trees)) if table else (lambda: KNeighborsRegressor(10))
        return Model("ridge regression", lambda: Ridge(alpha=1.0)), Model(_second_name(table), second)
    chosen = (
        (lambda: ExtraTreesClassifier(**trees)) if table else (lambda: KNeighborsClassifier(10, weights="distance"))
    )
    linear = Model("logistic regression", lambda: LogisticRegression(C=0.3, max_iter=60, tol=1e-3))
    return linear, Model(_second_name(table), chosen)


def _second_name(table: bool) -> str:
    return "extremely randomised trees" if table else "10 nearest neighbours"


def fold_numbers(target: npt.NDArray[Any], folds: int, *, classes: bool, seed: int = 0) -> Index:
    """Return the fold of each sample; classes are spread evenly over the folds."""
    order = np.random.default_rng([seed, len(target)]).permutation(len(target))
    if classes:
        order = order[np.argsort(target[order], kind="stable")]
    fold = np.empty(len(target), dtype=np.int64)
    fold[order] = np.arange(len(target)) % folds
    return fold


def fit(model: Model, x: Numbers, y: npt.NDArray[Any]) -> Any:
    """Return a fitted model; that its solver stopped early does not matter here."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = model.make()
        if hasattr(found, "n_neighbors"):
            found.set_params(n_neighbors=max(1, min(found.n_neighbors, len(x) // 5)))
        return found.fit(x, y)


def answers(fitted: Any, x: Numbers, classes: int | None) -> Reals:
    """Return probabilities (samples, classes), or predicted numbers (samples,) without ``classes``."""
    if classes is None:
        numbers: Reals = fitted.predict(x).astype(np.float64)
        return numbers
    probabilities = np.zeros((len(x), classes))
    probabilities[:, fitted.classes_.astype(np.int64)] = fitted.predict_proba(x)
    return probabilities


def out_of_fold(model: Model, x: Numbers, y: npt.NDArray[Any], *, classes: int | None, folds: int = 0) -> Reals:
    """Return the answers for each sample of models that were fitted without its fold.

    ``folds`` 0 means 5, or 3 for more than 600 samples. A fold whose rest has one class only is answered with it.
    """
    fold = fold_numbers(y, folds or (5 if len(y) <= 600 else 3), classes=classes is not None)
    out = np.zeros((len(y), classes)) if classes is not None else np.zeros(len(y))
    for number in np.unique(fold):
        left, held = fold != number, fold == number
        known = np.unique(y[left]) if classes is not None else None
        if known is not None and len(known) < 2:
            out[held, known.astype(np.int64)] = 1.0
        else:
            out[held] = answers(fit(model, x[left], y[left]), x[held], classes)
    return out


def measure(answer: Reals, y: npt.NDArray[Any], *, z: float = 1.96) -> Measure:
    """Return the accuracy of probabilities with Wilson's interval, or R² of numbers with a bootstrap one."""
    if answer.ndim == 2:
        right = float((answer.argmax(axis=1) == y).mean())
        low, high = wilson_interval(right, len(y), z)
        return Measure(right, low, high)
    value = r_squared(answer, y)
    chosen = np.random.default_rng(0).integers(0, len(y), (RESAMPLES, len(y)))
    errors, squares = (y - answer) ** 2, np.asarray(y, dtype=np.float64)
    total = squares[chosen].var(axis=1) * len(y)
    spread = float(np.std(1 - errors[chosen].sum(axis=1) / np.maximum(total, 1e-300)))
    return Measure(value, value - z * spread, min(1.0, value + z * spread))


def r_squared(answer: Reals, y: npt.NDArray[Any]) -> float:
    """Return 1 − squared error over the variance about the mean; 0 for a constant target."""
    total = float(np.var(y)) * len(y)
    return 1 - float(np.sum((y - answer) ** 2)) / total if total > 0 else 0.0


def chance_of(y: npt.NDArray[Any], score: Score) -> float:
    """Return the score of the best constant answer."""
    return float(np.unique(y, return_counts=True)[1].max() / len(y)) if score == "accuracy" else 0.0
