"""Labels that two different simple models contradict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcheck.checks.data.features import columns, reduce
from dlcheck.checks.data.samples import Index, Samples
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


@dataclass(frozen=True, slots=True)
class Doubted:
    """What two models say of labels; arrays have the shape (samples,)."""

    index: Index
    """Places in the split."""
    given: Index
    """Codes as they come."""
    said: Index
    """Codes that the first model says."""
    score: Reals
    """Probability of that code, the smaller of both models'."""
    order: Index
    """Positions of those whose label both confidently hold to be another, the surest first."""
    confirmed: int
    """Samples whose label both confidently hold to be right."""
    agreed: int
    """Samples whose label both together hold to be the likeliest."""


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
    seen = doubted(train, classes)
    if seen is None:
        return None
    y, suspect, agreed = seen.given, seen.order, seen.agreed
    confirmed = seen.confirmed / max(1, len(y) - len(suspect))
    low, high = wilson_interval(len(suspect) / len(y), len(y))
    unsure = max(0.0, 1 - (agreed + len(suspect)) / len(y))
    wrongly = max(CLEAN_SHARE, CONFUSION_SHARE * unsure)
    found = max(confirmed, 0.05)
    accuracy = min(1.0, agreed / max(1, len(y) - len(suspect)))
    chance = chance_of(y, "accuracy")
    skilled = accuracy >= chance + SKILL * (1 - chance)
    order = suspect[:EXAMPLES]
    return LabelNoise(
        samples=len(y),
        suspects=len(suspect),
        share_low=min(1.0, max(0.0, low - wrongly) / found) if skilled else 0.0,
        share_high=min(1.0, high / found) if skilled else 1.0,
        model_accuracy=accuracy,
        examples=tuple(int(place) for place in seen.index[order]),
        given=tuple(int(code) for code in y[order]),
        suggested=tuple(int(code) for code in seen.said[order]),
    )


def doubted(train: Samples, classes: int, most: int = MOST) -> Doubted | None:
    """Ask two simple models, out of fold, for the label of each of at most ``most`` samples.

    Returns:
        None where a class has fewer than 8 samples.
    """
    some = train.some(most)
    y = some.target.reshape(-1).astype(np.int64)
    if np.bincount(y, minlength=classes).min() < LEAST_CLASS:
        return None
    (x,) = reduce(columns(some), scale=not train.image)
    first, second = (out_of_fold(model, x, y, classes=classes, folds=5) for model in models("accuracy", table=True))
    said, sure = _agreed(first, second, y)
    suspect = np.flatnonzero(sure & (said != y))
    score = np.minimum(first, second)[np.arange(len(y)), said]
    return Doubted(
        index=some.index,
        given=y,
        said=said,
        score=score,
        order=suspect[np.argsort(-score[suspect], kind="stable")],
        confirmed=int((sure & (said == y)).sum()),
        agreed=int((((first + second).argmax(axis=1)) == y).sum()),
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
