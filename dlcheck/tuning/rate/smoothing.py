"""The loss of a sweep, smoothed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
MEMORY = 0.98
"""Weight of the past in the running mean (fastai's ``Recorder`` and Gugger 2018, "How do you find a good learning
rate")."""


def smooth(losses: Numbers, memory: float = MEMORY) -> Numbers:
    """Return the exponential running mean of losses, each divided by the weights it has gathered so far.

    The first value is the first loss: 1 − memoryᵏ, the sum of the weights after k losses, corrects the pull of a mean
    that began at 0. From the first loss that is not finite on, all values are NaN.
    """
    mean, smoothed = 0.0, np.full(len(losses), np.nan)
    for place, loss in enumerate(losses.tolist()):
        mean = memory * mean + (1 - memory) * loss
        if not np.isfinite(mean):
            break
        smoothed[place] = mean / (1 - memory ** (place + 1))
    return smoothed
