"""What a fault of the catalogue is, and how one is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks.faults.plan import Data, Plan

Plant = Callable[[Plan], str | None]
"""Changes a plan, and returns the layer where it did so, if there is one."""

ALL = frozenset({"log", "live", "check"})
"""A log, a watch and an examination before training can each show it."""
RUNNING = frozenset({"log", "live"})
"""It shows only while it trains, in the log too."""
LIVE = frozenset({"live"})
"""Only a watch can show it."""
INSIDE = frozenset({"live", "check"})
"""Losses, metrics and learning rates alone cannot show it."""


def anywhere(plan: Plan) -> bool:
    """Every plan can have it."""
    return True


def same(data: Data) -> Data:
    """Return the data as they are."""
    return data


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake that people make, as a change of a plan."""

    name: str
    """In kebab-case; unique."""
    family: str
    """``data``, ``model``, ``loss``, ``optimizer``, ``loop`` or ``schedule``."""
    codes: frozenset[str]
    """Findings that name it: the primary one should be one of them."""
    alternatives: frozenset[str]
    """Findings that are also right: what it does to the network or to the curves."""
    change: Plant
    """Plants it, where it fits."""
    fits: Callable[[Plan], bool]
    """Says whether a plan can have it."""
    exact: bool
    """It counts though it does not hurt."""
    seen: frozenset[str]
    """The ways in which it can be seen at all: of ``log``, ``live`` and ``check``."""
    origin: str
    """Who described it."""
    clean: Callable[[Data], Data]
    """Samples for the score, as this training's network expects them: a network that was trained on bytes is worth
    what it says of bytes."""

    @property
    def summary(self) -> str:
        """What a person did wrong, in a sentence."""
        return (self.change.__doc__ or "").strip()

    def plant(self, plan: Plan) -> str | None:
        """Change the plan in place; deterministic given its seed.

        Returns:
            The layer where it was planted, as the changed model names it; None where it is in none.

        Raises:
            ValueError: The plan cannot have it; it is as before.
        """
        if not self.fits(plan):
            raise ValueError(f"{self.name} does not fit {plan.data.name}")
        return self.change(plan)


@dataclass(frozen=True, slots=True)
class Family:
    """Writes down faults of one family: a decorator of the function that plants one."""

    name: str

    def __call__(
        self,
        codes: str,
        *,
        also: str = "",
        fits: Callable[[Plan], bool] = anywhere,
        exact: bool = False,
        seen: frozenset[str] = ALL,
        origin: str,
        clean: Callable[[Data], Data] = same,
    ) -> Callable[[Plant], Fault]:
        """Return a decorator; codes and alternatives are separated by spaces, the name is the function's."""

        def write(change: Plant) -> Fault:
            name = change.__name__.strip("_").replace("_", "-")
            named, others = frozenset(codes.split()), frozenset(also.split())
            return Fault(name, self.name, named, others - named, change, fits, exact, seen, origin, clean)

        return write
