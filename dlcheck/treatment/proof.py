"""Is a recipe measurably better than another? Trainings from the same seeds, compared until it is clear.

A comparison looks at the pairs after the second, third and fifth; the error that is allowed in all, 5 %, is spent over
these looks (1, 1.5 and 2.5 %), so that looking early costs nothing (Pocock 1977, O'Brien & Fleming 1979 for the
idea; the amounts are ours). Two pairs alone say little of their own noise: their variance is averaged with a prior of
two degrees of freedom (the moderated t statistic of Smyth 2004), whose noise is what small validation sets and random
starts have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Literal

from scipy.stats import t as student

from dlcheck.report.treated import Proof

LOOKS = {2: 0.99, 3: 0.985, 5: 0.975}
"""Pairs, and the level of the interval at that look."""
PRIOR_PAIRS = 2.0
"""Degrees of freedom of the prior noise."""
SHARE_NOISE = 0.01
"""Prior noise of a difference of shares (accuracy), beside that of the validation set's size."""
RELATIVE_NOISE = 0.03
"""Prior noise of a difference of errors, relative to the larger of the two."""
SHARE_WORTH = 0.005
"""Half a point: less is not worth a change of somebody's recipe."""
RELATIVE_WORTH = 0.01
Decision = Literal["better", "not better", "more seeds"]


@dataclass(frozen=True, slots=True)
class Score:
    """What decides: a metric on validation data."""

    name: str
    """As ``val_accuracy``."""
    greater_is_better: bool
    samples: int
    """Of the validation split."""

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1."""
        return self.greater_is_better

    def gain(self, before: float, after: float) -> float:
        """Return by how much the second is better; negative: worse."""
        return after - before if self.greater_is_better else before - after


def prove(score: Score, before: Sequence[float], after: Sequence[float], *, seeds: Sequence[int]) -> Proof:
    """Compare the scores of two recipes over the same seeds.

    Args:
        score: What is compared.
        before: Of the old recipe, by seed; NaN where the training died.
        after: Of the new one.
        seeds: Of the pairs.

    Returns:
        The mean difference with its interval at the level of this look. With one pair there is no interval. Where
        trainings of the old recipe died and none of the new, the new one is better by that alone.
    """
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if math.isfinite(old) and math.isfinite(new)]
    level = LOOKS[max((look for look in LOOKS if look <= len(before)), default=2)]
    difference = fmean(new - old for old, new in pairs) if pairs else math.nan
    half = half_width(score, pairs, level) if pairs else math.nan
    low, high = difference - half, difference + half
    surely = low > 0 if score.greater_is_better else high < 0
    worth = pairs and score.gain(0.0, difference) >= least_worth(score, pairs)
    revived = _revived(before, after) and not (pairs and score.gain(0.0, difference) < 0)
    better = bool(len(before) > 1 and all(map(math.isfinite, after)) and ((surely and worth) or revived))
    return Proof(
        metric=score.name,
        greater_is_better=score.greater_is_better,
        seeds=tuple(seeds),
        before=tuple(before),
        after=tuple(after),
        difference=difference,
        low=low,
        high=high,
        level=level,
        better=better,
    )


def decide(score: Score, proof: Proof) -> Decision:
    """Return whether the pairs so far are enough.

    After the first pair only a new recipe that is no better at all is given up. Later, a difference is given up
    that could not be told from the noise even if it stayed as it is up to the last look.
    """
    if proof.better:
        return "better"
    count, last = len(proof.seeds), max(LOOKS)
    dead_before = sum(not math.isfinite(value) for value in proof.before)
    if any(not math.isfinite(value) for value in proof.after) or count >= last:
        return "not better"
    if dead_before:
        return "more seeds"
    gain = score.gain(0.0, proof.difference)
    pairs = list(zip(proof.before, proof.after, strict=True))
    needed = max(least_worth(score, pairs), half_width(score, pairs, LOOKS[last], count=last) if count > 1 else 0.0)
    return "more seeds" if gain > 0 and gain >= 0.7 * needed else "not better"


def next_seeds(count: int) -> int:
    """Return how many pairs the look after ``count`` pairs has."""
    return next((look for look in LOOKS if look > count), count)


def half_width(score: Score, pairs: Sequence[tuple[float, float]], level: float, *, count: int | None = None) -> float:
    """Return half of the interval of the mean difference; ``count``: as if there were so many pairs."""
    freedom = PRIOR_PAIRS + len(pairs) - 1
    own = variance(new - old for old, new in pairs) if len(pairs) > 1 else 0.0
    squared = (PRIOR_PAIRS * prior_noise(score, pairs) ** 2 + (len(pairs) - 1) * own) / freedom
    number = len(pairs) if count is None else count
    if count is not None:
        freedom = PRIOR_PAIRS + count - 1
    return float(student.ppf(0.5 + level / 2, freedom) * math.sqrt(squared / number))


def prior_noise(score: Score, pairs: Sequence[tuple[float, float]]) -> float:
    """Return the standard deviation that a difference of one pair has by chance, before any was seen.

    Of a share p of n samples the binomial √(p(1 − p)/n), for both recipes; half of its variance counts, as both are
    asked about the same samples.
    """
    old, new = fmean(pair[0] for pair in pairs), fmean(pair[1] for pair in pairs)
    if not score.is_share:
        return RELATIVE_NOISE * max(abs(old), abs(new))
    shares = [min(max(value, 0.0), 1.0) for value in (old, new)]
    chance = sum(share * (1 - share) for share in shares) / (2 * max(1, score.samples))
    return math.sqrt(chance + SHARE_NOISE**2)


def least_worth(score: Score, pairs: Sequence[tuple[float, float]]) -> float:
    """Return the smallest gain that is worth changing somebody's recipe for."""
    if score.is_share:
        return SHARE_WORTH
    return RELATIVE_WORTH * max(abs(fmean(pair[0] for pair in pairs)), abs(fmean(pair[1] for pair in pairs)))


def _revived(before: Sequence[float], after: Sequence[float]) -> bool:
    """Return whether trainings of the old recipe died and all of the new one lived."""
    dead = sum(not math.isfinite(value) for value in before)
    return dead * 2 > len(before) and all(map(math.isfinite, after))
