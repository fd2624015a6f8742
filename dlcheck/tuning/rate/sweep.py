"""The range test: ever larger rates in one short run, until the loss blows up."""

from __future__ import annotations

import numpy as np

from dlcheck.tuning.rate.rules import Sweep, blown_up
from dlcheck.tuning.rate.short_run import short_run
from dlcheck.tuning.rate.smoothing import smooth
from dlcheck.tuning.rate.subject import Subject

LOWEST, HIGHEST = 1e-7, 10.0
STEPS = 100
"""Range and length of fastai's test; the range covers every optimizer that recipes know."""
FIRST_LOOK = 5
"""Steps before a sweep may end: a running mean of fewer losses is one batch's luck."""


def range_test(subject: Subject, *, steps: int = STEPS) -> Sweep:
    """Train with a rate that grows exponentially from ``LOWEST`` to ``HIGHEST`` (Smith 2017, WACV, arXiv 1506.01186).

    The recipe's schedule has no part in it: the growing rate is the schedule. It ends early when the smoothed loss
    lies far above its best.
    """
    rates = np.geomspace(LOWEST, HIGHEST, steps)
    run = short_run(subject, 1.0, rates, give_up=_enough)
    made = len(run.losses)
    smoothed = smooth(run.losses)
    return Sweep(rates[:made], run.losses, smoothed, diverged=not run.complete or _blown(run.losses.tolist()))


def _enough(losses: list[float]) -> bool:
    return len(losses) > FIRST_LOOK and _blown(losses)


def _blown(losses: list[float]) -> bool:
    smoothed = smooth(np.array(losses))
    finite = smoothed[np.isfinite(smoothed)]
    if len(finite) < len(smoothed):
        return True
    return blown_up(float(smoothed[-1]), float(finite.min()), float(smoothed[0]))
