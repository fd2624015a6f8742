"""Faults in the schedule of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR, LRScheduler, OneCycleLR, StepLR

from tests.benchmarks.faults.plan import Plan
from tests.benchmarks.faults.plants.fault import LIVE, RUNNING, Family

fault = Family("schedule")
TOO_SLOW = "C405 C406 C407 C408 C412 G305"
TOO_FAST = "C401 C406 C407 C408 G301 G302 G310 M204 M216"


def _by(factor: Callable[[float], float]) -> Callable[[torch.optim.Optimizer, int], LRScheduler]:
    """Return a schedule from a factor of the share of the training that is over."""
    return lambda optimizer, steps: LambdaLR(optimizer, lambda step: factor(step / steps))


@fault("G312 C417", also=TOO_SLOW, exact=True, seen=RUNNING, origin="PyTorch documentation; DeepCrime")
def decay_by_batch(plan: Plan) -> None:
    """A decay of a tenth an epoch is made with every batch."""
    plan.schedule = lambda optimizer, steps: ExponentialLR(optimizer, 0.9)
    plan.schedule_each = "step"


@fault("G312 C417", also=TOO_SLOW, exact=True, seen=LIVE, origin="PyTorch forum: T_max")
def cosine_by_batch(plan: Plan) -> None:
    """A cosine over the epochs is stepped with every batch, and swings up and down."""
    epochs = plan.epochs
    plan.schedule = lambda optimizer, steps: CosineAnnealingLR(optimizer, epochs)
    plan.schedule_each = "step"


@fault("G312 C417", also=TOO_SLOW, exact=True, seen=RUNNING, origin="PyTorch forum: OneCycleLR")
def one_cycle_by_epoch(plan: Plan) -> None:
    """A one-cycle schedule over all steps is stepped once an epoch, and stays at its beginning."""
    peak = plan.lr
    plan.schedule = lambda optimizer, steps: OneCycleLR(optimizer, peak, total_steps=steps, cycle_momentum=False)
    plan.schedule_each = "epoch"


@fault("G312", exact=True, seen=LIVE, origin="PyTorch forum: scheduler.step() is missing")
def schedule_never_stepped(plan: Plan) -> None:
    """A schedule is built, and never stepped."""
    third = max(plan.epochs // 3, 1)
    plan.schedule = lambda optimizer, steps: StepLR(optimizer, third, 0.1)
    plan.schedule_each = "never"


@fault("G312", exact=True, seen=LIVE, origin="PyTorch 1.1: lr_scheduler.step() before optimizer.step()")
def schedule_before_optimizer(plan: Plan) -> None:
    """The schedule is stepped at the beginning of each epoch, before the optimizer."""
    built: list[LRScheduler] = []
    epochs = plan.epochs

    def step_first(plan: Plan, optimizer: torch.optim.Optimizer, step: int) -> None:
        if not built:
            built.append(CosineAnnealingLR(optimizer, epochs))
        batches = math.ceil(len(plan.data.x) / plan.batch / plan.accumulate)
        if step % batches == 1 % batches:
            built[0].step()

    plan.before_step = step_first


@fault("C417 G312", also=f"{TOO_SLOW} G307", seen=RUNNING, origin="Lightning: schedules of the wrong length")
def rate_gone_early(plan: Plan) -> None:
    """The schedule was made for a twelfth of the training: the rate is zero from there on."""
    plan.schedule = _by(lambda share: max(1 - 12 * share, 0.0))


@fault("C417 C405 G305", also=f"{TOO_SLOW} G312", seen=RUNNING, origin="Deep Learning Tuning Playbook: warm-up")
def warmup_longer_than_training(plan: Plan) -> None:
    """The warm-up takes a hundred times as many steps as there are."""
    plan.schedule = _by(lambda share: (share + 1e-3) / 100)


@fault("C402 C403 C404 G304", also=TOO_FAST, seen=RUNNING, origin="Lightning: resumed with another rate")
def rate_jumps(plan: Plan) -> None:
    """From the middle on the rate is two hundred times as high: a comma was misplaced."""
    plan.schedule = _by(lambda share: 1.0 if share < 0.5 else 200.0)


@fault("C402 C403 C404 G304", also=TOO_FAST, seen=RUNNING, origin="DeepCrime: change learning rate")
def rate_grows(plan: Plan) -> None:
    """The decay's factor is above 1, so that the rate grows a thousandfold."""
    plan.schedule = _by(lambda share: 1000.0**share)
