"""Whether a classifier does no better than guess, as far as its loss and accuracy say; needs no number of classes."""

import math
from dataclasses import dataclass

import numpy as np

from dlcheck.rules.course import TRAINING, Course, course, training_course
from dlcheck.rules.scores import Score, accuracies
from dlcheck.rules.statistics import tail, trend
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


LEARNS = 0.05
"""Share of its start by which a loss falls that is being learned."""
UNTRAINED = 0.15
"""Share by which a first loss may lie beside ln C: that of the first epoch's mean, or of weights that are not small."""
ALL_THE_SAME = 0.015
"""Share by which a loss may lie beside the entropy of one answer to all."""
SAME = 1e-6
"""Accuracies that differ by less are the same count, summed in another order."""
SETTLED = 0.2
"""Share of the run after which an accuracy must be constant."""
USELESS = 0.9
"""An accuracy above may be constant because there is nothing left to learn."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A number of classes among which loss and accuracy say that a network guesses."""

    classes: int
    accuracy: float
    loss: Course
    score: Score
    best_loss: float

    @property
    def words(self) -> str:
        """What the network does, by both numbers."""
        many = self.classes
        return (
            f"{self.score.name} stayed near 1/{many} while {self.loss.name} stayed at or above ln {many}: "
            f"what guessing among {many} classes gives"
        )


@dataclass(frozen=True, slots=True)
class Constant:
    """One answer to everything: an accuracy that never changes, and the entropy that belongs to it."""

    accuracy: float
    loss: Course
    score: Score

    @property
    def words(self) -> str:
        """What the network does, by both numbers."""
        level = float(np.median(tail(self.loss.y, 0.5)))
        return (
            f"{self.score.name} is {self.accuracy:.4g} every time and {self.loss.name} {level:.4g}, "
            "the entropy of a class that frequent: one answer is given to all"
        )


def guessing(run: Run) -> Guess | None:
    """Return the guess, None where accuracy or loss say otherwise, or are not there.

    Both must agree: an accuracy of 1/C and a cross-entropy of ln C (Shannon 1948) belong to the same C.
    """
    courses = [one for name in TRAINING if (one := course(run, name)) is not None]
    loss = next((one for one in courses if len(one) >= LEAST), None)
    known = [item for item in accuracies(run, "val", "train") if len(item.y) >= LEAST]
    if loss is None or not known or float(loss.level.min()) <= 0:
        return None
    found = [_guess(item, loss) for item in known]
    return found[0] if None not in found else None


def uninformed_guess(run: Run) -> tuple[Guess, Course] | None:
    """Return the guess on validation data of a network that learns its training data, and the loss on these.

    A validation loss that fell first, too, came from worse than a guess and learned something on the way: overfitted.
    """
    val, train = course(run, "val_loss"), training_course(run)
    if val is None or train is None or min(len(val), len(train)) < LEAST:
        return None
    found = [_guess(item, val) for item in accuracies(run, "val")]
    learns = train.fall > LEARNS * abs(train.start) and trend(train.x, train.y).falls(0.001)
    learned = val.fall > LEARNS * abs(val.start)
    return (found[0], train) if found and found[0] is not None and learns and not learned else None


def constant_answer(run: Run) -> Constant | None:
    """Return the one answer to all that accuracy and loss of the training samples tell of, None if they do not.

    For two classes: a network that says p to all samples, of which a share p are of the larger class, has an accuracy
    of p and a cross-entropy of -p ln p - (1 - p) ln (1 - p) (Shannon 1948), and keeps both.
    """
    loss = training_course(run)
    known = accuracies(run, "train")
    if loss is None or not known or len(loss) < LEAST or len(known[0].y) < LEAST:
        return None
    late = tail(known[0].y, 1 - SETTLED)
    share = float(late[-1])
    if float(np.ptp(late)) > SAME or not 0.5 <= share <= USELESS:
        return None
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    near = np.abs(tail(loss.y, 1 - SETTLED) / entropy - 1)
    return Constant(share, loss, known[0]) if float(np.median(near)) <= ALL_THE_SAME else None


def started_guessing(run: Run) -> bool:
    """Return whether the first loss and accuracy of training belong to guessing among some number of classes."""
    loss = training_course(run)
    known = accuracies(run, "train", "val")
    if loss is None or not known:
        return False
    first, share = float(loss.curve.values[0]), float(known[0].y[0])
    if share <= 1 / MOST_CLASSES or not 0 < first < 2 * math.log(MOST_CLASSES):
        return False
    classes = round(math.exp(first))
    return (
        classes >= 2
        and abs(first / math.log(classes) - 1) <= UNTRAINED
        and abs(share - 1 / classes) <= 0.5 / classes + SLACK
    )


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
