"""Numbers that follow from how much data there is: batch size, epochs, the share that validates."""

import math
from dataclasses import dataclass

from dlcheck.components.data.split import evaluation_size
from dlcheck.rules.statistics import wilson_interval

STEPS_AN_EPOCH = 40
"""Fewer, and the early epochs move too little; batches are halved until an epoch has as many."""
SMALLEST, LARGEST = 16, 128
ASSUMED = 0.9
"""Accuracy at which the uncertainty of validation is told."""
VAGUE = 0.05
"""Half of the interval from which cross-validation is named."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Samples of training, validation and test; ``given``: the parts that come with the data."""

    train: int
    val: int
    test: int
    given: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """All samples."""
        return self.train + self.val + self.test


def divided(train: int, val: int | None = None, test: int | None = None) -> Parts:
    """Return the parts as the loader will make them: a missing one is drawn from training.

    A validation part that comes alone stays the only one.
    """
    given = frozenset(name for name, part in (("val", val), ("test", test)) if part is not None)
    if val is not None:
        return Parts(train, val, test or 0, given)
    size = evaluation_size(train)
    drawn_test = size if test is None else 0
    return Parts(train - size - drawn_test, size, drawn_test if test is None else test, given)


def half_width(samples: int, accuracy: float = ASSUMED) -> float:
    """Return half of the 95 % interval of an accuracy measured on so many samples (Wilson 1927)."""
    low, high = wilson_interval(accuracy, samples)
    return (high - low) / 2


def batch_size(train: int) -> int:
    """Return a power of two from 16 to 128 that leaves an epoch ``STEPS_AN_EPOCH`` steps where there is the data.

    Small batches generalise at least as well, 32 and under best (Masters & Luschi 2018, arXiv:1804.07612); larger
    ones only save time.
    """
    size = LARGEST
    while size > SMALLEST and train / size < STEPS_AN_EPOCH:
        size //= 2
    return size


def epochs(train: int, batch: int, *, steps: int, least: int, most: int) -> int:
    """Return how many epochs make about ``steps`` steps, rounded to a number that is easy to read."""
    wanted = steps / max(1, steps_an_epoch(train, batch))
    rounded = 5 * math.ceil(wanted / 5) if wanted > 10 else math.ceil(wanted)
    return max(least, min(most, rounded))


def steps_an_epoch(train: int, batch: int) -> int:
    """Return the steps of an epoch, the incomplete last batch counted."""
    return -(-train // batch)
