"""Which trainings count as healthy, which as faulty, and which as neither: decided apart from dlcheck."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.benchmarks.faults.kill import Kill, counted, decidable, killed
from tests.benchmarks.faults.record import Told, Trained

PLAIN = "plain"
"""The variant of a program's healthy trainings as its author wrote it, without a style."""

NEAR = 0.05
"""Points of score below its program's plain trainings within which a training still counts as sound."""

MOST_GAP = 0.50
"""Share above its lowest validation loss at which a training may end and still count as sound."""

SERIOUS = ("warning", "error")


@dataclass(frozen=True, slots=True)
class FaultFacts:
    """What the score needs to know of a fault of the catalogue."""

    name: str
    """As in ``Trained.variant``."""
    codes: frozenset[str]
    """The findings that name it."""
    exact: bool = False
    """It counts though it does not hurt."""
    seen: frozenset[str] = frozenset({"log", "live", "check"})
    """The ways in which it can be seen at all."""
    alternatives: frozenset[str] = frozenset()
    """Findings that are also accepted as right."""

    @property
    def accepted(self) -> frozenset[str]:
        """All findings that are right."""
        return self.codes | self.alternatives


@dataclass(frozen=True, slots=True)
class Plant:
    """One fault in one program: some seeds, of which the first with findings is looked at."""

    facts: FaultFacts
    program: str
    kill: Kill
    decided: bool
    """There were seeds enough to say whether it hurts."""
    run: Trained

    @property
    def counts(self) -> bool:
        """It is to be found: it hurts, or is exact."""
        return self.kill.hurts or self.facts.exact

    def right(self, told: Told) -> bool:
        """Say whether a finding names this fault."""
        return told.code in self.facts.accepted


@dataclass(frozen=True, slots=True)
class Cases:
    """All trainings of one half, sorted."""

    half: str
    healthy: list[Trained] = field(default_factory=list)
    """Sound."""
    dropped: list[Trained] = field(default_factory=list)
    """Meant to be healthy, but not sound."""
    plants: list[Plant] = field(default_factory=list)
    """Those that hurt or are exact."""
    harmless: list[Plant] = field(default_factory=list)
    """Those that do not hurt, are not exact, and whose training is sound: nothing is to be found."""
    unsound: list[Plant] = field(default_factory=list)
    """Those that neither hurt nor are exact, but whose training is not sound: left out."""
    undecided: list[Plant] = field(default_factory=list)
    """Too few seeds to say whether they hurt: left out."""
    seconds: float = math.nan
    """Mean of all trainings."""


def serious(told: Iterable[Told]) -> list[Told]:
    """Keep the findings of severity warning or worse."""
    return [one for one in told if one.severity in SERIOUS]


def plain(runs: Iterable[Trained], program: str) -> list[Trained]:
    """Keep a program's plain healthy trainings."""
    return [run for run in runs if (run.program, run.kind, run.variant) == (program, "healthy", PLAIN)]


def sound(trained: Trained, siblings: Sequence[Trained]) -> bool:
    """Say whether a training went well, without asking any doctor.

    It ended by itself, scored within ``NEAR`` of the best that the plain trainings of its program reach in the median
    (at the end or after any epoch), and did not go more than ``MOST_GAP`` beyond its lowest validation loss.

    Args:
        trained: The training.
        siblings: Trainings among which its program's plain ones are looked for; without one, nothing is sound.
    """
    others = plain(siblings, trained.program)
    if not others or trained.error is not None or not math.isfinite(trained.score):
        return False
    ends = median(counted(one.score, one.error) for one in others)
    bests = median(max(counted(one.score, one.error), counted(one.best)) for one in others)
    return trained.score >= max(ends, bests) - NEAR and trained.gap < MOST_GAP


def sort(runs: Sequence[Trained], catalogue: Iterable[FaultFacts]) -> Cases:
    """Sort trainings into healthy, faulty and neither.

    Raises:
        ValueError: A training's fault is not in the catalogue.
    """
    known = {facts.name: facts for facts in catalogue}
    seconds = math.fsum(run.seconds for run in runs) / len(runs) if runs else math.nan
    cases = Cases(half="+".join(sorted({run.half for run in runs})), seconds=seconds)
    planted: dict[tuple[str, str], list[Trained]] = defaultdict(list)
    siblings = {program: plain(runs, program) for program in {run.program for run in runs}}
    for run in runs:
        if run.kind == "fault":
            planted[run.variant, run.program].append(run)
        else:
            (cases.healthy if sound(run, siblings[run.program]) else cases.dropped).append(run)
    for (_, program), seeds in planted.items():
        _place(_plant(seeds, siblings[program], known), cases, siblings[program])
    return cases


def _plant(seeds: list[Trained], siblings: Sequence[Trained], known: Mapping[str, FaultFacts]) -> Plant:
    first = min(seeds, key=lambda run: (not run.doctors, run.seed))
    if first.variant not in known:
        raise ValueError(f"fault {first.variant!r} is not in the catalogue")
    healthy = [counted(run.score, run.error) for run in siblings]
    faulty = [counted(run.score, run.error) for run in seeds]
    decided = decidable(len(healthy), len(faulty))
    return Plant(known[first.variant], first.program, killed(healthy, faulty), decided, first)


def _place(plant: Plant, cases: Cases, siblings: Sequence[Trained]) -> None:
    if plant.counts:
        cases.plants.append(plant)
    elif not plant.decided:
        cases.undecided.append(plant)
    elif sound(plant.run, siblings):
        cases.harmless.append(plant)
    else:
        cases.unsound.append(plant)
