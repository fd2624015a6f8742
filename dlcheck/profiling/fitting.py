"""The largest batch that fits, by trying: from a guess to both sides, then by halves."""

from __future__ import annotations

from collections.abc import Callable

CLOSE = 0.02
"""Of the batch, to which it is found."""
STEP = 1.25
"""Factor between tries until one fits and one does not."""


def largest_fitting(fits: Callable[[int], bool], guess: int, *, tries: int = 12) -> int | None:
    """Return the largest size that was seen to fit, within 2 % where the tries suffice; None: none did.

    Args:
        fits: Tries a size; every size below one that fits is taken to fit.
        guess: First size to try.
        tries: How often, at most.
    """
    low, high, size = 0, 0, max(1, guess)
    for _ in range(tries):
        if fits(size):
            low = size
        else:
            high = size
        if high and (high - low <= max(1, int(CLOSE * low)) or high == 1):
            break
        size = _next(low, high)
    return low or None


def _next(low: int, high: int) -> int:
    if not high:
        return max(low + 1, int(low * STEP))
    if not low:
        return max(1, min(high - 1, int(high / STEP)))
    return (low + high) // 2
