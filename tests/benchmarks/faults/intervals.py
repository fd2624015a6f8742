"""A share of a count, with the interval in which its true value lies."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Z95 = 1.959963984540054
"""The normal distribution's two-sided 95 % point."""


def wilson(count: int, of: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc.
    22; recommended for small counts by Brown, Cai & DasGupta (2001), "Interval estimation for a binomial proportion".

    Args:
        count: How many were so.
        of: How many there were; of none, nothing is known: (0, 1).

    Raises:
        ValueError: The count is below 0 or above ``of``.
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no share")
    if of == 0:
        return 0.0, 1.0
    share, spread = count / of, Z95**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == of else middle + half
    return low, high


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    count: int
    of: int

    @classmethod
    def among(cls, answers: Iterable[bool]) -> Share:
        """Count the answers that are yes."""
        kept = list(answers)
        return cls(sum(kept), len(kept))

    @property
    def rate(self) -> float:
        """From 0 to 1; nan where there was nothing to count."""
        return self.count / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the rate."""
        return wilson(self.count, self.of)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; a rate of nothing is None."""
        low, high = self.interval
        return {"count": self.count, "of": self.of, "rate": self.rate if self.of else None, "low": low, "high": high}
