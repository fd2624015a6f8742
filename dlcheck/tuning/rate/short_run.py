"""A few training steps from the same weights, over the same batches, at rates that are given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dlcheck.checks.state import untouched
from dlcheck.training.device import seed_everything
from dlcheck.tuning.rate.subject import Subject

Numbers = NDArray[np.float64]
Verdict = Callable[[list[float]], bool]


@dataclass(frozen=True, slots=True)
class ShortRun:
    """Losses of a short run, before each step; shorter than planned when it was given up."""

    losses: Numbers
    planned: int

    @property
    def complete(self) -> bool:
        """Whether it ran to its end."""
        return len(self.losses) == self.planned


def short_run(
    subject: Subject,
    rate: float,
    factors: Numbers,
    *,
    momentum: Numbers | None = None,
    give_up: Verdict = lambda losses: False,
) -> ShortRun:
    """Train for as many steps as there are factors, and put everything back.

    Args:
        subject: What is trained.
        rate: The base rate.
        factors: Of the base rate at each step.
        momentum: At each step, where the schedule moves it.
        give_up: Asked after each step whether to end; a loss that is not finite ends the run in any case.
    """
    losses: list[float] = []
    with untouched(subject.patient):
        seed_everything(subject.patient.seed)
        subject.patient.training_mode()
        optimizer = subject.optimizer(rate)
        base = [float(group["lr"]) for group in optimizer.param_groups]
        stepper = subject.stepper()
        for place, batches in enumerate(subject.steps.take(len(factors))):
            set_rates(optimizer, base, float(factors[place]), None if momentum is None else float(momentum[place]))
            seen = [subject.prepare(batch) for batch in batches]
            losses.append(float(stepper.step(optimizer, seen, ())))
            if not math.isfinite(losses[-1]) or give_up(losses):
                break
    return ShortRun(np.array(losses), len(factors))


def set_rates(
    optimizer: torch.optim.Optimizer, base: list[float], factor: float, momentum: float | None = None
) -> None:
    """Set each group's rate to its base times a factor, and momentum where it is moved and the optimizer has any."""
    for group, rate in zip(optimizer.param_groups, base, strict=True):
        group["lr"] = rate * factor
        if momentum is None:
            continue
        if group.get("momentum"):
            group["momentum"] = momentum
        elif "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
