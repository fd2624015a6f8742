"""From a ``[schedule]`` section to the rate over a training."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.optim import lr_scheduler

from dlcheck.components.registry import Registry
from dlcheck.components.schedules.curve import Curve, TorchCurve
from dlcheck.components.schedules.custom import CustomCurve
from dlcheck.components.schedules.plateau import RelativePlateau
from dlcheck.components.schedules.rate import RateSchedule
from dlcheck.errors import DlcheckError
from dlcheck.recipe.optimizer import (
    ConstantSchedule,
    CosineSchedule,
    CustomSchedule,
    CyclicSchedule,
    ExponentialSchedule,
    InverseTimeSchedule,
    MultiStepSchedule,
    OneCycleSchedule,
    PlateauSchedule,
    ScheduleSection,
    StepSchedule,
)


@dataclass(frozen=True, slots=True)
class Span:
    """What a curve has to fit into."""

    optimizer: torch.optim.Optimizer
    steps_per_epoch: int
    steps: int
    """Optimizer steps after the warm-up."""
    folder: Path


Builder = Callable[[Any, Span], Curve | None]

SCHEDULES: Registry[Builder] = Registry("schedule")


def build_schedule(
    section: ScheduleSection,
    optimizer: torch.optim.Optimizer,
    *,
    steps_per_epoch: int,
    total_steps: int,
    folder: Path,
) -> RateSchedule:
    """Build the schedule of a section, and set the optimizer's rates for the first step.

    Step, multistep, exponential, inverse_time, plateau and custom schedules change the rate between epochs;
    cosine, one_cycle and cyclic after every step.

    Args:
        section: the ``[schedule]`` section.
        optimizer: its groups' rates are the base rates.
        steps_per_epoch: optimizer steps in an epoch.
        total_steps: optimizer steps in the whole training.
        folder: of the recipe, where the user's own code is looked for.

    Raises:
        DlcheckError: the warm-up is longer than the training.
    """
    warmup_steps = max(1, round(section.warmup * steps_per_epoch)) if section.warmup else 0
    if warmup_steps > total_steps:
        raise DlcheckError(
            f"schedule.warmup = {section.warmup:g} epochs is {warmup_steps} steps, longer than the training of "
            f"{total_steps} steps; at most {total_steps / steps_per_epoch:.3g} epochs fit"
        )
    # Kept in the groups under PyTorch's own key, so that a second schedule finds the base rates too.
    base = [float(group.setdefault("initial_lr", group["lr"])) for group in optimizer.param_groups]
    span = Span(optimizer, steps_per_epoch, max(total_steps - warmup_steps, 1), folder)
    curve = SCHEDULES.builder(section)(section, span)
    name: str = getattr(section, "name")  # noqa: B009, each kind of schedule declares its own
    return RateSchedule(name, optimizer, base, curve=curve, warmup_steps=warmup_steps)


@SCHEDULES.register(ConstantSchedule)
def _build_constant(section: ConstantSchedule, span: Span) -> Curve | None:
    return None


@SCHEDULES.register(StepSchedule)
def _build_step(section: StepSchedule, span: Span) -> Curve:
    return TorchCurve(lambda o: lr_scheduler.StepLR(o, step_size=section.every, gamma=section.gamma), pace="epoch")


@SCHEDULES.register(MultiStepSchedule)
def _build_multistep(section: MultiStepSchedule, span: Span) -> Curve:
    return TorchCurve(
        lambda o: lr_scheduler.MultiStepLR(o, milestones=section.milestones, gamma=section.gamma),
        pace="epoch",
    )


@SCHEDULES.register(ExponentialSchedule)
def _build_exponential(section: ExponentialSchedule, span: Span) -> Curve:
    return TorchCurve(lambda o: lr_scheduler.ExponentialLR(o, gamma=section.gamma), pace="epoch")


@SCHEDULES.register(InverseTimeSchedule)
def _build_inverse_time(section: InverseTimeSchedule, span: Span) -> Curve:
    factor = partial(_inverse_time, decay=section.decay)
    return TorchCurve(lambda o: lr_scheduler.LambdaLR(o, factor), pace="epoch")


def _inverse_time(epoch: int, *, decay: float) -> float:
    return 1 / (1 + decay * epoch)


@SCHEDULES.register(CosineSchedule)
def _build_cosine(section: CosineSchedule, span: Span) -> Curve:
    """Build half a cosine (Loshchilov and Hutter 2017, ICLR, arXiv 1608.03983, without restarts).

    In closed form: PyTorch's own scheduler multiplies factors up, gathering rounding errors on the way.
    """
    factor = partial(_cosine, steps=span.steps, final=section.final)
    return TorchCurve(lambda o: lr_scheduler.LambdaLR(o, factor), pace="step", last=span.steps)


def _cosine(step: int, *, steps: int, final: float) -> float:
    return final + (1 - final) * (1 + math.cos(math.pi * step / steps)) / 2


@SCHEDULES.register(OneCycleSchedule)
def _build_one_cycle(section: OneCycleSchedule, span: Span) -> Curve:
    """Build Smith and Topin's 1cycle (2018, arXiv 1708.07120): cosine rise and fall, momentum 0.95 to 0.85."""
    steps = max(span.steps, 2)
    # PyTorch divides by rise · steps − 1; a rise of less than one and a half steps is lengthened to that.
    rise = min(max(section.rise, 1.5 / steps), 1 - 1e-6)
    return TorchCurve(
        lambda o: lr_scheduler.OneCycleLR(
            o,
            max_lr=1.0,
            total_steps=steps,
            pct_start=rise,
            div_factor=section.start_factor,
            final_div_factor=section.final_factor,
        ),
        pace="step",
        last=steps - 1,
        moves_momentum=True,
    )


@SCHEDULES.register(CyclicSchedule)
def _build_cyclic(section: CyclicSchedule, span: Span) -> Curve:
    """Build Smith's triangles (2017, WACV, arXiv 1506.01186), starting low."""
    half = max(section.period * span.steps_per_epoch / 2, 1.0)
    swing = _halve_each_cycle if section.shape == "triangular2" else _keep
    return TorchCurve(
        lambda o: lr_scheduler.CyclicLR(
            o,
            base_lr=section.low,
            max_lr=1.0,
            step_size_up=half,  # type: ignore[arg-type]  # declared int, but fractions work
            scale_fn=swing,
            scale_mode="cycle",
            cycle_momentum=False,
        ),
        pace="step",
    )


def _halve_each_cycle(cycle: float) -> float:
    return float(0.5 ** (cycle - 1))  # PyTorch's own 1 / 2**cycle overflows after a thousand cycles


def _keep(cycle: float) -> float:
    return 1.0


@SCHEDULES.register(PlateauSchedule)
def _build_plateau(section: PlateauSchedule, span: Span) -> Curve:
    return TorchCurve(
        lambda o: RelativePlateau(
            o, factor=section.factor, patience=section.patience, threshold=section.min_delta, eps=0.0
        ),
        pace="monitored",
    )


@SCHEDULES.register(CustomSchedule)
def _build_custom(section: CustomSchedule, span: Span) -> Curve:
    return CustomCurve(section, span.optimizer, span.folder)
