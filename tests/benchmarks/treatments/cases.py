"""What is treated, in an order whose every beginning is a balanced sample."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dlcheck.recipe import LoadedRecipe
from dlcheck.recipe.patch import patched
from tests.benchmarks.treatments.faults import FAULTS, places
from tests.benchmarks.treatments.programs import PROGRAMS, halves
from tests.benchmarks.treatments.variants import VARIANTS

FAULTY, HEALTHY = "fault", "healthy"
PLACES = 4
"""Programs of a half that each fault is planted into."""
FIRST_SEEDS = 1000
"""A treatment's first seed lies below: its seeds are never those by which it is judged."""


@dataclass(frozen=True, slots=True)
class Case:
    """A recipe to treat."""

    kind: str
    program: str
    variant: str
    """The fault's name, or the healthy variant's."""
    half: str
    seed: int
    """First of the treatment's seeds."""

    @property
    def key(self) -> str:
        """Tells it from all others."""
        return f"{self.kind} {self.program} {self.variant} {self.seed}"

    def twin(self) -> LoadedRecipe:
        """Return the healthy program."""
        return PROGRAMS[self.program].recipe()

    def recipe(self) -> LoadedRecipe:
        """Return what is treated."""
        twin = self.twin()
        made = (FAULTS[self.variant] if self.kind == FAULTY else VARIANTS[self.variant]).patch(twin.recipe)
        assert made is not None  # drawn where it fits
        return replace(twin, recipe=patched(twin.recipe, made | {"train.seed": self.seed}))


def cases(half: str, seed: int, only: str = "") -> list[Case]:
    """Return the cases of a half in a drawn order: each fault once before any twice, three of them to two healthy.

    Args:
        half: ``tuned`` or ``held-out``.
        seed: Draws the order, and the seeds of the treatments.
        only: ``fault`` or ``healthy``; empty: both.
    """
    chance = random.Random(f"{seed} {half}")
    sick, sound = list(_sick(half, chance)), list(_sound(half, chance))
    if only:
        return sick if only == FAULTY else sound
    found: list[Case] = []
    while sick or sound:
        found += [*sick[:3], *sound[:2]]
        sick, sound = sick[3:], sound[2:]
    return found


def _sick(half: str, chance: random.Random) -> Iterator[Case]:
    where = {name: places(fault, half)[:PLACES] for name, fault in FAULTS.items()}
    for rank in range(PLACES):
        names = [name for name in FAULTS if rank < len(where[name])]
        chance.shuffle(names)
        for name in names:
            yield Case(FAULTY, where[name][rank], name, half, chance.randrange(FIRST_SEEDS))


def _sound(half: str, chance: random.Random) -> Iterator[Case]:
    """Yield each variant once, in as many programs as there are, before any twice."""
    of = halves()
    programs = [name for name in sorted(PROGRAMS) if of[name] == half]
    used: set[tuple[str, str]] = set()
    for _ in range(PLACES):
        names = list(VARIANTS)
        chance.shuffle(names)
        for name in names:
            chance.shuffle(programs)
            for program in programs:
                fits = VARIANTS[name].patch(PROGRAMS[program].recipe().recipe) is not None
                if fits and (program, name) not in used:
                    used.add((program, name))
                    yield Case(HEALTHY, program, name, half, chance.randrange(FIRST_SEEDS))
                    break
