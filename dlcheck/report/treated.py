"""What ``dlcheck treat`` did: the rounds, what was tried in each, and the proof; all that its reports need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from dlcheck.findings import Finding
from dlcheck.report.report import Report

Value = str | int | float | bool | list[object] | None
"""Of a key of a recipe; None: not set."""


class Ending(StrEnum):
    """How a treatment ended."""

    HEALTHY = "healthy"  # nothing was found that is a warning or worse
    CURED = "cured"  # measurably better, and nothing of the kind is found any more
    IMPROVED = "improved"  # measurably better, yet something is still found
    NOT_CURED = "not cured"  # every remedy was tried, none was measurably better
    YOURS = "yours to fix"  # no key of a recipe cures what was found
    PLANNED = "planned"  # only the plan was asked for
    BUDGET = "out of budget"  # nothing proved so far
    INTERRUPTED = "interrupted"  # Ctrl-C; everything so far is kept


class Fate(StrEnum):
    """How one attempt ended."""

    KEPT = "kept"
    NO_BETTER = "no better"  # not measurably
    WORSE = "worse"
    DIED = "died"  # its loss was not finite, or it could not be built
    LOST = "lost the short runs"  # another remedy of the same finding was ahead
    SET_ALREADY = "set already"
    HIDES = "only hides it"  # the sign is gone, the score is not better
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Change:
    """One key of the recipe, changed."""

    path: str
    """As ``optimizer.lr``."""
    old: Value
    new: Value
    why: str
    """One line: the finding and what it showed."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Two recipes over the same seeds."""

    metric: str
    """As ``val_accuracy``."""
    greater_is_better: bool
    seeds: tuple[int, ...]
    before: tuple[float, ...]
    """By seed; NaN where the training died."""
    after: tuple[float, ...]
    difference: float
    """Mean of after - before, in the metric's own unit; NaN without a finite pair."""
    low: float
    high: float
    """Interval of the difference, at ``level``."""
    level: float
    better: bool
    """Measurably better: the whole interval is on the better side of 0, each of eight pairs is, or the old ones
    died."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One remedy of one finding."""

    remedy: str
    """Its text."""
    changes: tuple[Change, ...]
    fate: Fate
    reason: str = ""
    """Of the fate, in a line."""
    source: str = ""
    """Where the values come from: ``remedy``, ``lr-find``."""
    short: tuple[tuple[float, float], ...] = ()
    """Of the short runs: share of a training, score there."""
    proof: Proof | None = None
    cost: float = 0.0
    """Trainings it took, in parts of a whole one."""


@dataclass(frozen=True, slots=True)
class Round:
    """One finding, and what was tried against it."""

    finding: Finding
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Yours:
    """What no key of the recipe can cure."""

    finding: Finding
    text: str
    """What is left to the reader, in a line or two."""
    rows: Path | None = None
    """CSV of the samples that the finding is about."""
    count: int = 0
    """Of its rows."""


@dataclass(frozen=True, slots=True)
class Treated:
    """A whole treatment."""

    name: str
    """Of the recipe."""
    source: str
    """What was asked for: the recipe's path or name, or the run's."""
    folder: Path
    """Where everything of it lies."""
    ending: Ending
    metric: str
    """The score that decides, as ``val_accuracy``."""
    greater_is_better: bool
    before: Report
    """Diagnosis of the recipe as it was."""
    after: Report | None = None
    """Diagnosis of the cured one, None where nothing was kept."""
    rounds: tuple[Round, ...] = ()
    plan: tuple[Attempt, ...] = ()
    """What would be tried next, in this order."""
    changes: tuple[Change, ...] = ()
    """All that was kept, first to last; one entry a key."""
    proof: Proof | None = None
    """Of the cured recipe against the original."""
    yours: tuple[Yours, ...] = ()
    cured: Path | None = None
    """The cured recipe."""
    diff: str = ""
    """Unified, from the original to the cured one."""
    cost: float = 0.0
    """Trainings in all, in parts of a whole one of the original recipe."""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    """What could not be checked or was left out, a line each."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """By use: ``diagnosis``, ``search``, ``short runs``, ``proof``."""
    signal: int | None = None
    """That interrupted it."""
