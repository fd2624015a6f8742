"""Robust statistics of noisy series; NumPy arrays of shape (points,) throughout, all values finite."""

from dataclasses import dataclass

import numpy as np

from dlcheck.runs import Curve
from dlcheck.runs.run import Numbers

MOST_POINTS = 300
"""Longer series are reduced before a trend is fitted, which takes time with the square of their length."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A straight line through a series, and how sure its direction is."""

    slope: float
    """Per unit of x."""
    low: float
    high: float
    """Ends of the slope's confidence interval."""
    p_rising: float
    """One-sided p-value of the Mann-Kendall test against a series that does not rise."""
    p_falling: float

    def rises(self, level: float) -> bool:
        """Return whether both tests say that the series rises, at this one-sided level."""
        return self.low > 0 and self.p_rising < level

    def falls(self, level: float) -> bool:
        """Return whether both tests say that the series falls, at this one-sided level."""
        return self.high < 0 and self.p_falling < level


def trend(x: Numbers, y: Numbers, confidence: float = 0.95) -> Trend:
    """Fit the Theil-Sen line and apply the Mann-Kendall test; at least 3 points of different x.

    Sources: Theil 1950, Proc. KNAW 53; Sen 1968, J. Am. Stat. Assoc. 63(324); Mann 1945,
    Econometrica 13(3).
    """
    from scipy.stats import kendalltau, theilslopes  # type: ignore[import-untyped]

    x, y = thin(x, y)
    if np.ptp(y) == 0:
        return Trend(0.0, 0.0, 0.0, 1.0, 1.0)
    line = theilslopes(y, x, alpha=confidence)
    tau = kendalltau(x, y)
    below, above = tau.pvalue / 2, 1 - tau.pvalue / 2
    rising, falling = (below, above) if tau.statistic > 0 else (above, below)
    return Trend(float(line.slope), float(line.low_slope), float(line.high_slope), float(rising), float(falling))


def noise(y: Numbers) -> float:
    """Return the standard deviation of the point-to-point noise around a smooth course; 0 below 4 points.

    The spread of what the mean of two neighbours misses (Gasser, Sroka and Jennen-Steinmetz 1986,
    Biometrika 73(3)), by its median absolute value so that single spikes do not count.
    """
    if len(y) < 4:
        return 0.0
    missed = (y[:-2] + y[2:]) / 2 - y[1:-1]
    return float(1.4826 * np.median(np.abs(missed)) / np.sqrt(1.5))


def smooth(y: Numbers, window: int = 3) -> Numbers:
    """Return the running median; at the ends the window holds the points that there are."""
    half = window // 2
    return np.array([np.median(y[max(0, i - half) : i + half + 1]) for i in range(len(y))])


def thin(x: Numbers, y: Numbers, most: int = MOST_POINTS) -> tuple[Numbers, Numbers]:
    """Reduce a long series to block medians; one of at most ``most`` points stays as it is."""
    if len(y) <= most:
        return x, y
    blocks = np.array_split(np.arange(len(y)), most)
    medians = [(np.median(x[block]), np.median(y[block])) for block in blocks]
    return tuple(np.array(medians, dtype=np.float64).T)


def positions(curve: Curve) -> Numbers:
    """Return where a curve's points lie: its steps, else its epochs, else their ranks from 0."""
    for places in (curve.steps, curve.epochs):
        if np.isfinite(places).all():
            return places
    return np.arange(len(curve), dtype=np.float64)


def tail(y: Numbers, share: float, least: int = 3) -> Numbers:
    """Return the last ``share`` of a series, at least ``least`` points."""
    return y[-max(least, round(share * len(y))) :]
