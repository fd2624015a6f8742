"""Which trainings the benchmark makes: programs × styles, faults × programs × seeds; all drawn from written seeds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.benchmarks.faults.plants import FAULTS, Fault
from tests.benchmarks.faults.programs import PROGRAMS, Program, halves, present
from tests.benchmarks.faults.styles import STYLES

SEEDS = 5
"""Trainings of a program, and of a plant that must be shown to hurt, from different seeds."""
PLANTS = 5
"""Programs of a half in which a fault is planted, where it fits so many."""
OTHERS = 3
"""Styles, beside the plain one, in which a program is trained."""
CHOICE_SEED = 7
"""Draws styles for programs and programs for faults."""


@dataclass(frozen=True)
class Job:
    """One training, and who is asked about it."""

    program: Program
    variant: str
    kind: str
    half: str
    seed: int
    asked: bool = True
    """dlcheck watches it and reads its log."""
    checked: bool = False
    """dlcheck examines it before it begins."""

    @property
    def key(self) -> str:
        """Tells it from all others."""
        return f"{self.program.name} {self.variant} {self.seed}"


def jobs(half: str | None = None) -> list[Job]:
    """Return the trainings of a half, or of both."""
    of = halves()
    found = [*_healthy(of), *_plants(of)]
    return [job for job in found if half in (None, job.half)]


def _healthy(of: dict[str, str]) -> Iterator[Job]:
    chance = random.Random(CHOICE_SEED)
    for program in present():
        for seed in range(SEEDS):
            yield Job(program, "plain", "healthy", of[program.name], seed, checked=seed == 0)
        plan = program.plan(0)
        names = [name for name, style in STYLES.items() if name != "plain" and style.fits(plan)]
        for place, name in enumerate(chance.sample(names, min(OTHERS, len(names)))):
            yield Job(program, name, "healthy", of[program.name], 10 + place, checked=True)


def _plants(of: dict[str, str]) -> Iterator[Job]:
    """Yield each fault in a first program, then each in a second one: what was made in time says something of all."""
    plans = {program: program.plan(0) for program in PROGRAMS}
    places: list[tuple[Fault, str, list[Program]]] = []
    for fault in FAULTS.values():
        for half in ("tuning", "held"):
            fitting = [one for one in PROGRAMS if of[one.name] == half and fault.fits(plans[one])]
            places.append((fault, half, chosen(fault, fitting)))
    for rank in range(PLANTS):
        for fault, half, programs in places:
            seeds = 1 if fault.exact else SEEDS  # an exact fault counts whether it hurts or not
            for seed in range(seeds if rank < len(programs) else 0):
                yield Job(programs[rank], fault.name, "fault", half, seed, asked=seed == 0, checked=seed == 0)


def chosen(fault: Fault, fitting: list[Program]) -> list[Program]:
    """Return programs for a fault: drawn, but from as many data sets and optimizers as there are."""
    chance = random.Random(f"{CHOICE_SEED} {fault.name}")
    left, found = chance.sample(fitting, len(fitting)), list[Program]()
    while left and len(found) < PLANTS:
        seen = {one.data for one in found}, {one.optimizer for one in found}
        best = min(left, key=lambda one: (one.data in seen[0]) + (one.optimizer in seen[1]))
        found.append(best)
        left.remove(best)
    return found


def short(found: list[Job]) -> list[Job]:
    """Return a part that takes some minutes: every second program once, and each fault in one program."""
    kept, seen = list[Job](), set[str]()
    programs = set(PROGRAMS[::2])
    for job in found:
        if job.kind == "healthy" and job.variant == "plain" and job.seed == 0 and job.program in programs:
            kept.append(job)
        if job.kind == "fault" and job.seed == 0 and job.variant not in seen:
            kept.append(replace(job, checked="check" in FAULTS[job.variant].seen))
            seen.add(job.variant)
    return kept
