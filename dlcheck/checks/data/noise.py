"""Labels that two different simple models contradict."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dlcheck.checks.data.features import columns, reduce
from dlcheck.checks.data.samples import Samples
from dlcheck.checks.data.simple import Reals, chance_of, models, out_of_fold
from dlcheck.rules.statistics import wilson_interval
from dlcheck.runs.facts import LabelNoise

MOST = 2000
EXAMPLES = 20
LEAST_CLASS = 8
"""Samples that every class needs."""
SKILL = 0.65
"""Of the way from chance to 1: models that agree less with the labels they do not suspect cannot contradict any.
Measured: 0.4 on photos of cats and dogs, which are too hard for them; above 0.7 with a fifth of labels wrong."""
CLEAN_SHARE = 0.005
CONFUSION_SHARE = 0.2
"""Of labels as they come with digits, iris, wine, breast cancer, blobs, moons and circles, models confidently
contradict at most 0.5 %; of Fashion-MNIST's, whose classes overlap, a fifth as many as they get wrong unsurely."""


def label_noise(train: Samples, classes: int) -> LabelNoise | None:
    """Count the labels that both models, out of fold, confidently hold to be another, the same one.

    Confident is a probability above the mean that samples of that class get for it (confident learning, Northcutt
    et al. 2021, J. Artif. Intell. Res. 70). The share of wrong labels follows from the count of suspects: of wrong
    labels as many are found as there are right ones that both models confirm so; what models wrongly say of clean
    labels is taken off the lower end.

    Where the models know too little, the share is anything from 0 to 1.

    Returns:
        None where a class has fewer than 8 samples.
    """
    some = train.some(MOST)
    y = some.target.reshape(-1).astype(np.int64)
    if np.bincount(y, minlength=classes).min() < LEAST_CLASS:
        return None
    (x,) = reduce(columns(some), scale=not train.image)
    first, second = (out_of_fold(model, x, y, classes=classes, folds=5) for model in models("accuracy", table=True))
    said, sure = _agreed(first, second, y)
    suspect = np.flatnonzero(sure & (said != y))
    confirmed = float((sure & (said == y)).sum()) / max(1, len(y) - len(suspect))
    agreed = int((((first + second).argmax(axis=1)) == y).sum())
    low, high = wilson_interval(len(suspect) / len(y), len(y))
    unsure = max(0.0, 1 - (agreed + len(suspect)) / len(y))
    wrongly = max(CLEAN_SHARE, CONFUSION_SHARE * unsure)
    found = max(confirmed, 0.05)
    accuracy = min(1.0, agreed / max(1, len(y) - len(suspect)))
    chance = chance_of(y, "accuracy")
    skilled = accuracy >= chance + SKILL * (1 - chance)
    order = suspect[np.argsort(-np.minimum(first, second)[suspect, said[suspect]], kind="stable")][:EXAMPLES]
    return LabelNoise(
        samples=len(y),
        suspects=len(suspect),
        share_low=min(1.0, max(0.0, low - wrongly) / found) if skilled else 0.0,
        share_high=min(1.0, high / found) if skilled else 1.0,
        model_accuracy=accuracy,
        examples=tuple(int(place) for place in some.index[order]),
        given=tuple(int(code) for code in y[order]),
        suggested=tuple(int(code) for code in said[order]),
    )


def _agreed(
    first: Reals, second: Reals, y: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return what the first model says of each sample, and where the second confidently agrees."""
    said = first.argmax(axis=1)
    sure = said == second.argmax(axis=1)
    rows = np.arange(len(y))
    for answer in (first, second):
        own = answer[rows, y]
        limits = np.array([own[y == code].mean() if (y == code).any() else 1.0 for code in range(answer.shape[1])])
        sure &= answer[rows, said] >= np.minimum(limits, 0.95)[said]
    return said, sure
