"""What is kept of a case: a line of the file, and what the scores are made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from tests.benchmarks.treatments.cases import FAULTY

NEAR = 2.0
"""Points below its healthy twin within which a treated recipe counts as cured."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one doctor made of a recipe, judged over seeds that it did not see."""

    changed: bool
    """It hands back another recipe."""
    points: float
    """Mean over the fresh seeds of what it hands back."""
    cost: float
    """In whole trainings of the recipe as it was given."""
    patch: dict[str, Any] = field(default_factory=dict)
    ending: str = ""
    codes: tuple[str, ...] = ()
    """Primary findings of warning or worse at the beginning."""
    costs: dict[str, float] = field(default_factory=dict)
    """By use."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A case and all that was found of it."""

    key: str
    kind: str
    program: str
    variant: str
    half: str
    counts: bool
    """The fault hurts; or, of a healthy variant, it is as good as its program."""
    twin: float
    """Mean points of the healthy program over the fresh seeds."""
    before: float
    """The same of the recipe as it was given."""
    doctors: dict[str, Outcome] = field(default_factory=dict)
    seconds: float = 0.0
    why: str = ""
    """Why it does not count."""

    @property
    def faulty(self) -> bool:
        """Whether a fault was planted."""
        return self.kind == FAULTY

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Row:
        """Return what a line says."""
        doctors = {name: Outcome(**{**one, "codes": tuple(one["codes"])}) for name, one in values["doctors"].items()}
        return cls(**{**values, "doctors": doctors})
