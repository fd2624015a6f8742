"""How much a treatment may spend."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field

from dlcheck.errors import DlcheckError

UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0}
TRAININGS = 20.0
"""Unless told otherwise."""
SHORT = 20.0
"""Epochs: a recipe of fewer may be ill of just that, and the default budget counts trainings as long as this."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Most that a treatment spends, whichever ends first; without any, 20 trainings of 20 epochs or more."""

    trainings: float | None = None
    """In whole trainings of the recipe as it is."""
    epochs: float | None = None
    seconds: float | None = None


def parse_budget(text: str) -> Budget:
    """Read ``12 trainings``, ``400 epochs``, ``90s``, ``30min`` or ``2h``.

    Raises:
        DlcheckError: none of these, or not a positive number.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(trainings?|epochs?|s|min|h)\s*", text)
    if match is None or float(match[1]) <= 0:
        raise DlcheckError(f'--budget {text}: expected as "12 trainings", "400 epochs", "90s", "30min" or "2h"')
    amount, unit = float(match[1]), match[2].removesuffix("s") or "s"
    if unit == "training":
        return Budget(trainings=amount)
    if unit == "epoch":
        return Budget(epochs=amount)
    return Budget(seconds=amount * UNITS[unit])


@dataclass(slots=True)
class Purse:
    """What was spent so far, in whole trainings, and whether more may be."""

    budget: Budget
    epochs: float = 1.0
    """Of a whole training."""
    began: float = field(default_factory=time.monotonic)
    spent: dict[str, float] = field(default_factory=dict)
    """By use."""

    def pay(self, use: str, trainings: float) -> None:
        """Count what was spent."""
        self.spent[use] = self.spent.get(use, 0.0) + trainings

    @property
    def cost(self) -> float:
        """Spent in all, in whole trainings."""
        return sum(self.spent.values())

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began

    def allows(self, trainings: float) -> bool:
        """Return whether so much more may be spent."""
        most, more = self._most(), self.cost + trainings
        return more <= most + 1e-9 and (self.budget.seconds is None or self.seconds < self.budget.seconds)

    def _most(self) -> float:
        """Return the largest cost, in whole trainings of the recipe as it is."""
        budget, epochs = self.budget, max(1.0, self.epochs)
        given = [budget.trainings, None if budget.epochs is None else budget.epochs / epochs]
        limits = [one for one in given if one is not None]
        if not limits and budget.seconds is None:
            return TRAININGS * max(1.0, SHORT / epochs)
        return min(limits, default=math.inf)
