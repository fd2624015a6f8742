"""How much better than the recipe a search's choice is, by trainings over several seeds."""

import math
from dataclasses import dataclass, replace
from statistics import fmean, variance

from dlcheck.rules.search.rows import LARGEST
from dlcheck.runs.facts import Confirmed, SearchStudy

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Gain:
    """The gain of one trial's values over the recipe's; positive is better, whatever the metric's direction."""

    trial: int
    value: float
    low: float
    high: float
    """Ends of its 95 % interval, corrected for the choice among several trials."""
    deviation: float
    """Standard deviation of one training over seeds: the retrain noise, pooled over all that were repeated."""
    seeds: int
    """Of the smaller of the two groups."""

    @property
    def shown(self) -> bool:
        """Whether the interval lies wholly above 0."""
        return self.low > 0


def alive(confirmed: Confirmed) -> bool:
    """Return whether every one of the repeated trainings reached a finite value."""
    return bool(confirmed.values) and all(map(math.isfinite, confirmed.values))


def confirmed_gain(study: SearchStudy) -> Gain | None:
    """Return the gain of the best repeated trial over the recipe; None where that cannot be told.

    Student's interval of a difference of two means. Its variance is that within all repeated groups together, or
    a group's own where that is larger, since a recipe at the edge of stability is noisier than others. Its level is
    corrected for the number of trials that the best was chosen from (Šidák 1967, J. Am. Stat. Assoc. 62(318)).
    """
    groups = [_bounded(group) for group in study.confirmed if alive(group)]
    recipe = next((group for group in groups if group.baseline), None)
    others = [group for group in groups if not group.baseline]
    if recipe is None or not others:
        return None
    sign = 1.0 if study.minimize else -1.0
    best = min(others, key=lambda group: sign * fmean(group.values))
    freedom = sum(len(group.values) - 1 for group in groups)
    seeds = min(len(best.values), len(recipe.values))
    if freedom < 1 or seeds < 2:
        return None
    value = sign * (fmean(recipe.values) - fmean(best.values))
    pooled = sum((len(group.values) - 1) * _variance(group) for group in groups) / freedom
    error = math.sqrt(sum(max(pooled, _variance(group)) / len(group.values) for group in (recipe, best)))
    half = error * _quantile(freedom, LEVEL ** (1 / len(others)))
    if not all(map(math.isfinite, (value, half, pooled))):
        return None
    return Gain(best.trial, value, value - half, value + half, math.sqrt(pooled), seeds)


def _bounded(group: Confirmed) -> Confirmed:
    return replace(group, values=tuple(min(max(value, -LARGEST), LARGEST) for value in group.values))


def _variance(group: Confirmed) -> float:
    return variance(group.values) if len(group.values) > 1 else 0.0


def _quantile(freedom: int, level: float) -> float:
    """Return the half width of a two-sided interval of Student's law, in standard errors."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2))
