"""The shape of a whole training's schedule, squeezed into a short run."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dlcheck.components.schedules import build_schedule
from dlcheck.recipe.optimizer import ScheduleSection

Numbers = NDArray[np.float64]
SAMPLED = 2000
"""Steps in which a longer training's schedule is followed: enough for the shape of any that is sampled at a hundred."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a schedule does to the rate and to momentum over a whole training, as it goes on from step to step."""

    name: str
    factors: Numbers
    """Rate over base rate at each step."""
    momentum: Numbers | None
    """Momentum at each step, where the schedule moves it."""
    steps: int
    """Optimizer steps of the whole training."""

    def squeezed(self, steps: int) -> tuple[Numbers, Numbers | None]:
        """Return factor and momentum at each of fewer (or more) steps: the mean over the part that each stands for."""
        return _resampled(self.factors, steps), None if self.momentum is None else _resampled(self.momentum, steps)

    @property
    def mean(self) -> float:
        """The mean factor: 1 for a constant rate, about a half for a cosine."""
        return float(self.factors.mean())


def read_shape(section: ScheduleSection, *, steps: int, steps_per_epoch: int, folder: Path) -> Shape:
    """Follow a schedule over a whole training, on an optimizer of its own.

    Long trainings are followed in fewer steps an epoch. A plateau schedule, which waits for a validation loss, stays
    at its first rate.

    Args:
        section: the ``[schedule]`` section.
        steps: optimizer steps in the whole training.
        steps_per_epoch: optimizer steps in an epoch.
        folder: where the user's own code lies.

    Raises:
        DlcheckError: the warm-up is longer than the training, or the user's own scheduler fails.
    """
    epochs = steps / steps_per_epoch
    per_epoch = min(steps_per_epoch, max(1, round(SAMPLED / epochs)))
    total = max(1, round(epochs * per_epoch))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    optimizer.step()  # so that no scheduler warns of an order of calls that is not ours to keep
    schedule = build_schedule(section, optimizer, steps_per_epoch=per_epoch, total_steps=total, folder=folder)
    factors, momentum = np.empty(total), np.empty(total)
    group = optimizer.param_groups[0]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
        for step in range(total):
            factors[step], momentum[step] = group["lr"], group["momentum"]
            schedule.after_step()
            if (step + 1) % per_epoch == 0:
                schedule.after_epoch(None)
    moves = bool(np.ptp(momentum) > 0)
    return Shape(schedule.name, factors, momentum if moves else None, steps)


def _resampled(values: Numbers, count: int) -> Numbers:
    """Return means over ``count`` equal parts; the integral is interpolated, so that nothing is left out."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    edges = np.linspace(0.0, len(values), count + 1)
    resampled: Numbers = np.diff(np.interp(edges, np.arange(len(sums)), sums)) * count / len(values)
    return resampled
