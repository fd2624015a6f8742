"""Whether a classifier does no better than guess, as far as its loss and accuracy say; needs no number of classes."""

import math
from dataclasses import dataclass

import numpy as np

from dlcheck.rules.course import TRAINING, Course, course
from dlcheck.rules.scores import ACCURACY, Score, scores
from dlcheck.rules.statistics import tail
from dlcheck.runs import Run

LEAST = 8
"""Values of accuracy and loss, at least."""
MOST_CLASSES = 1000
NEAR = 0.25
"""Share of 1/C by which the usual accuracy may lie beside it, and ..."""
SLACK = 0.01
"""... what is added for the fewness of validation samples."""
EVER = 1.6
"""The best level of accuracy over 1/C, at most."""
ROOM = 0.97
"""The lowest level of the loss over ln C, at least: less is a constant answer that knows how frequent classes are."""
MOST = 1.35
"""The usual loss over ln C, at most: an accuracy of 0.5 beside a loss of 2 is no guess between two classes."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A number of classes among which loss and accuracy say that a network guesses."""

    classes: int
    accuracy: float
    loss: Course
    score: Score
    best_loss: float


def guessing(run: Run) -> Guess | None:
    """Return the guess, None where accuracy or loss say otherwise, or are not there.

    Both must agree: an accuracy of 1/C and a cross-entropy of ln C (Shannon 1948) belong to the same C.
    """
    courses = [one for name in TRAINING if (one := course(run, name)) is not None]
    loss = next((one for one in courses if len(one) >= LEAST), None)
    known = [item for item in scores(run, "val", "train") if len(item.y) >= LEAST]
    accuracies = [item for item in known if ACCURACY.search(item.name.lower()) and item.bounded]
    if loss is None or not accuracies or float(loss.level.min()) <= 0:
        return None
    found = [_guess(item, loss) for item in accuracies]
    return found[0] if None not in found else None


def _guess(item: Score, loss: Course) -> Guess | None:
    usual, lowest = float(np.median(tail(item.y, 0.5))), float(loss.level.min())
    settled = float(np.median(tail(loss.y, 0.5)))
    if usual <= 1 / MOST_CLASSES or item.improves:
        return None
    around = range(max(2, math.floor(0.7 / usual)), min(MOST_CLASSES, math.ceil(1.4 / usual)) + 1)
    possible = [
        classes
        for classes in around
        if abs(usual - 1 / classes) <= NEAR / classes + SLACK
        and float(item.level.max()) <= EVER / classes + SLACK
        and lowest >= ROOM * math.log(classes)
        and settled <= MOST * math.log(classes)
    ]
    if not possible:
        return None
    classes = min(possible, key=lambda one: abs(lowest - math.log(one)))
    return Guess(classes, usual, loss, item, lowest)
