"""What a search tried and found: the facts that the rules S6 and the report of a study read."""

from dataclasses import dataclass
from typing import ClassVar

from dlcheck.runs.facts.fact import Fact

INFEASIBLE = ("nan", "diverged", "no_fit", "dead", "oom", "limit", "error")
"""Endings of trials whose values cannot be used; what was pruned, lost or stopped says nothing against its values."""


def trial_title(number: int, *, baseline: bool) -> str:
    """Return what a trial is called; the recipe as it is has a name of its own."""
    return "your recipe" if baseline else f"trial {number}"


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """One dimension of the space."""

    name: str
    """As the study knows it, with its condition, as ``optimizer.momentum@sgd``."""
    path: str
    """Key of the recipe."""
    kind: str
    """``log``, ``float``, ``int``, ``pow2``, ``choice``, ``near_one`` or ``times``."""
    low: float | None = None
    high: float | None = None
    """Ends of a range in the recipe's own unit; None for choices."""
    log: bool = False
    or_zero: bool = False
    """Zero is tried beside the range."""
    choices: tuple[str, ...] = ()
    when: str = ""
    """Its condition in words; empty when it is always searched."""
    base: float | None = None
    """Of ``times``: the recipe's value, by which ends and values are to be divided to give factors; None: they are
    factors themselves.
    """


@dataclass(frozen=True, slots=True)
class SearchValue:
    """What one parameter was set to."""

    name: str
    """As ``SearchParameter.name``."""
    number: float | None = None
    """In the recipe's own unit; None for choices."""
    text: str = ""
    """Of a choice."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The study's metric after an epoch, counted from 1."""

    epoch: int
    value: float


@dataclass(frozen=True, slots=True)
class SearchTrial:
    """One trial that has ended."""

    number: int
    ending: str
    """``ok``, ``pruned``, ``lost``, ``stopped`` or one of ``INFEASIBLE``."""
    value: float | None = None
    """What it reached itself, in its last epoch; never a penalty. None: nothing finite."""
    params: tuple[SearchValue, ...] = ()
    """Of the dimensions that were active; of the baseline, the recipe's own values."""
    epochs: int = 0
    curve: tuple[CurvePoint, ...] = ()
    seconds: float = 0.0
    reason: str = ""
    """Why it ended, in a line."""
    baseline: bool = False
    """The recipe as it is."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The same values trained again with several seeds, on all data."""

    trial: int
    values: tuple[float, ...] = ()
    """One a seed, in the order of the seeds, which are the same for all; NaN: that training died."""
    seeds: tuple[int, ...] = ()
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class Importance:
    """How much of the variance of the metric one parameter explains."""

    name: str
    """As ``SearchParameter.name``."""
    value: float
    """Share from 0 to 1, among the parameters that are searched together."""
    low: float
    high: float
    """Ends of its 90 % interval over trials drawn anew."""
    trials: int = 0
    """Finished trials it was computed from."""


@dataclass(frozen=True, slots=True)
class SearchStudy(Fact):
    """What a search over a recipe's keys tried, and what came of it (S601 to S605)."""

    NAME: ClassVar[str] = "search_study"
    metric: str
    minimize: bool
    trials: tuple[SearchTrial, ...]
    parameters: tuple[SearchParameter, ...] = ()
    confirmed: tuple[Confirmed, ...] = ()
    """The baseline and the best trials; empty before they were trained again."""
    chosen: int | None = None
    """Trial that was chosen by the mean over seeds."""
    importances: tuple[Importance, ...] = ()
    importance_note: str = ""
    """From what they were computed, or why there are none."""
    total: int | None = None
    """Trials that were asked for."""
    startup: int = 0
    """Trials that the sampler draws at random before it learns from any; 0: it never learns."""
    epochs: int = 0
    """Of a whole trial."""
    name: str = ""
    sampler: str = ""
    pruner: str = ""
    why: str = ""
    """Why these two, in words."""
