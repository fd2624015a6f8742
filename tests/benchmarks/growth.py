"""Lines through measured points: how fast something grows, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A slope with its 95 % interval; the interval is NaN with fewer than three points."""

    slope: float
    low: float
    high: float

    def told(self, form: str) -> str:
        """Return the slope and its interval in words, as ``1.2 (0.8 to 1.6)``."""
        return f"{self.slope:{form}} ({self.low:{form}} to {self.high:{form}})"


def fitted(x: Points, y: Points) -> Line:
    """Return the least-squares slope of y over x, with Student's interval for independent errors."""
    from scipy import stats

    found = stats.linregress(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    wide = float(stats.t.ppf(0.975, len(x) - 2) * found.stderr) if len(x) > 2 else float("nan")
    return Line(float(found.slope), float(found.slope) - wide, float(found.slope) + wide)


def exponent(sizes: Points, costs: Points) -> Line:
    """Return the power of the size with which a cost grows: the slope of their logarithms."""
    return fitted(np.log(np.asarray(sizes, dtype=np.float64)), np.log(np.asarray(costs, dtype=np.float64)))
