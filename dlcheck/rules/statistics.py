"""Robust statistics of noisy series; NumPy arrays of shape (points,) throughout, all values finite."""

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcheck.runs import Curve
from dlcheck.runs.run import Numbers

MOST_POINTS = 200
"""Longer series are reduced before a trend is fitted, which takes time with the square of their length."""
BLOCK_POINTS = 50
"""Points of a block that are enough for its median."""
EXACT_POINTS = 12
"""Up to here the Mann-Kendall test counts permutations; beyond, the normal law is close enough."""
SURROUNDINGS = 9
"""Points whose running median a spike stands out of."""
Z_95 = 1.959964


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


FLAT = Trend(0.0, 0.0, 0.0, 1.0, 1.0)


def trend(x: Numbers, y: Numbers, confidence: float = 0.95) -> Trend:
    """Fit the Theil-Sen line and apply the Mann-Kendall test; below 3 points of different x all is flat.

    Sources: Theil 1950, Proc. KNAW 53; Sen 1968, J. Am. Stat. Assoc. 63(324); Mann 1945,
    Econometrica 13(3); Kendall 1975, Rank Correlation Methods, 4th edition (ties, exact law).
    """
    x, y = thin(x, y, MOST_POINTS)
    if len(y) < 3 or np.ptp(y) == 0 or np.ptp(x) == 0:
        return FLAT
    first, second = _pairs(len(y))
    dx, dy = x[second] - x[first], y[second] - y[first]
    forward = dx != 0
    slopes = np.sort(dy[forward] / dx[forward])
    score = int(np.sign(dy[forward] * np.sign(dx[forward])).sum())
    spread = _score_deviation(x, y)
    margin = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    last = len(slopes) - 1
    low = slopes[max(0, round((len(slopes) - margin) / 2) - 1)]
    high = slopes[min(last, round((len(slopes) + margin) / 2))]
    tied = len(np.unique(y)) < len(y) or not forward.all()
    rising, falling = (_p_above(value, len(y), 0.0 if not tied else spread) for value in (score, -score))
    return Trend(float(np.median(slopes)), float(low), float(high), rising, falling)


@cache
def _pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.triu_indices(count, 1)
    return first, second


def _score_deviation(x: Numbers, y: Numbers) -> float:
    """Return the standard deviation of Kendall's score without a trend, corrected for ties."""
    count = len(y)
    terms = count * (count - 1) * (2 * count + 5)
    for values in (x, y):
        _, sizes = np.unique(values, return_counts=True)
        terms -= int((sizes * (sizes - 1) * (2 * sizes + 5)).sum())
    return math.sqrt(max(terms, 1) / 18)


def _p_above(score: int, count: int, spread: float) -> float:
    """Return the chance of a score as high as this one without a trend; ``spread`` 0 means no ties."""
    if spread == 0.0 and count <= EXACT_POINTS:
        orders = _orders_by_inversions(count)
        pairs = count * (count - 1) // 2
        return sum(orders[: (pairs - score) // 2 + 1]) / math.factorial(count)
    spread = spread or math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    return 1.0 - NormalDist().cdf((score - 1) / spread)


@cache
def _orders_by_inversions(count: int) -> tuple[int, ...]:
    """Return how many orders of ``count`` values have 0, 1, 2, … pairs in the wrong order."""
    orders = [1]
    for size in range(2, count + 1):
        padded = np.convolve(orders, np.ones(size, dtype=np.int64))
        orders = [int(number) for number in padded]
    return tuple(orders)


def noise(y: Numbers) -> float:
    """Return the standard deviation of the point-to-point noise around a smooth course; 0 below 4 points.

    The spread of what the mean of two neighbours misses (Gasser, Sroka and Jennen-Steinmetz 1986,
    Biometrika 73(3)). What exceeds three median absolute deviations counts as three (Huber 1964, Ann. Math.
    Stat. 35(1)), so that spikes hardly matter.
    """
    if len(y) < 4:
        return 0.0
    missed = (y[:-2] + y[2:]) / 2 - y[1:-1]
    most = 3 * 1.4826 * float(np.median(np.abs(missed)))
    return float(np.sqrt(np.mean(np.clip(missed, -most, most) ** 2) / 1.5))


def smooth(y: Numbers, window: int = 3) -> Numbers:
    """Return the running median; at the ends the window holds the points that there are."""
    half = window // 2
    if len(y) <= 2 * half:
        return np.array([np.median(y[max(0, i - half) : i + half + 1]) for i in range(len(y))])
    inner = np.median(np.lib.stride_tricks.sliding_window_view(y, 2 * half + 1), axis=1)
    ends = range(half)
    left = [float(np.median(y[: i + half + 1])) for i in ends]
    right = [float(np.median(y[len(y) - 2 * half + i :])) for i in ends]
    return np.concatenate([left, inner, right])


def spikes(y: Numbers, z: float) -> NDArray[np.int64]:
    """Return the indices of points that stand out above their surroundings by ``z`` robust deviations.

    A point is compared with the running median of ``SURROUNDINGS`` points; a deviation is the median absolute one
    from it, or the noise if that is larger (Hampel 1974, J. Am. Stat. Assoc. 69(346)). The first half window
    has no surroundings.
    """
    if len(y) < 5:
        return np.empty(0, dtype=np.int64)
    excess = y - smooth(y, min(SURROUNDINGS, len(y) - 1 + len(y) % 2))
    spread = max(1.4826 * float(np.median(np.abs(excess))), noise(y), 1e-12 * float(np.abs(y).max()))
    return np.flatnonzero((excess > z * spread) & (np.arange(len(y)) >= SURROUNDINGS // 2))


def plateau_start(level: Numbers, close: float) -> int:
    """Return the first index from which a falling level is within ``close`` of the lowest it reaches."""
    return int(np.argmax(level <= level.min() + close))


def half_life(level: Numbers) -> float:
    """Return the share of a series, from 0 to 1, after which half of its whole fall was made."""
    lowest = np.minimum.accumulate(level)
    fallen = lowest[0] - lowest
    if len(level) < 2 or fallen[-1] <= 0:
        return 1.0
    return float(np.argmax(fallen >= fallen[-1] / 2) / (len(level) - 1))


def thin(x: Numbers, y: Numbers, most: int = MOST_POINTS) -> tuple[Numbers, Numbers]:
    """Reduce a long series to block medians; one of at most ``most`` points stays as it is."""
    if len(y) <= most:
        return x, y
    return block_medians(x, most), block_medians(y, most)


def block_medians(y: Numbers, blocks: int) -> Numbers:
    """Return the medians of this many blocks of nearly equal length, shape (blocks,).

    Of blocks beyond 100 points every n-th is taken: a median gains little from more.
    """
    y = y[:: max(1, len(y) // (blocks * BLOCK_POINTS))]
    starts = block_starts(len(y), blocks)
    sizes = np.diff(starts, append=len(y))
    medians = np.empty(blocks)
    for size in np.unique(sizes):
        rows = starts[sizes == size][:, None] + np.arange(size)
        medians[sizes == size] = np.median(y[rows], axis=1)
    return medians


def block_starts(count: int, blocks: int) -> NDArray[np.int64]:
    """Return the first index of each of this many blocks of nearly equal length."""
    return np.arange(blocks, dtype=np.int64) * count // blocks


def positions(curve: Curve) -> Numbers:
    """Return where a curve's points lie: its steps, else its epochs, else their ranks from 0.

    Places that run backwards (a counter of its own, a restart) are no axis.
    """
    for places in (curve.steps, curve.epochs):
        if np.isfinite(places).all() and (np.diff(places) >= 0).all() and np.ptp(places[[0, -1]] if len(places) else 0):
            return places
    return np.arange(len(curve), dtype=np.float64)


def tail(y: Numbers, share: float, least: int = 3) -> Numbers:
    """Return the last ``share`` of a series, at least ``least`` points."""
    return y[-max(least, round(share * len(y))) :]


def wilson_interval(share: float, count: int, z: float = Z_95) -> tuple[float, float]:
    """Return the interval of a share measured on ``count`` samples (Wilson 1927), 95 % by default.

    Without a sample, or for a share that is no number, it is the whole from 0 to 1.
    """
    if count <= 0 or not math.isfinite(share):
        return 0.0, 1.0
    share = min(1.0, max(0.0, share))
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, centre - half), min(1.0, centre + half)


def all_finite(*values: float | None) -> bool:
    """Return whether every one of these is known and a finite number."""
    return all(value is not None and math.isfinite(value) for value in values)


def runs_of(codes: NDArray[Any]) -> tuple[int, float, float]:
    """Return the stretches of equal codes, and their mean and standard deviation in random order; shape (samples,).

    Source: Barton and David 1957, Biometrika 44 (of two classes: Wald and Wolfowitz 1940).
    """
    n = len(codes)
    runs = 1 + int((codes[1:] != codes[:-1]).sum()) if n else 0
    if n < 3:
        return runs, float(runs), 0.0
    counts = np.unique(codes, return_counts=True)[1].astype(np.float64)
    squares, cubes = float((counts**2).sum()), float((counts**3).sum())
    expected = 1 + n - squares / n
    variance = (squares * (squares + n * (n + 1)) - 2 * n * cubes - n**3) / (n * n * (n - 1))
    return runs, expected, math.sqrt(max(0.0, variance))
