"""Settings that are unusual and right: a training in one of these styles is healthy."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, OneCycleLR, StepLR

from tests.benchmarks.faults.plan import Plan
from tests.benchmarks.faults.plants.fault import anywhere
from tests.benchmarks.faults.plants.kinds import (
    DROPOUTS,
    NORMS,
    adam,
    classified,
    family,
    flat_answers,
    floats,
    has,
    hidden,
    leaves,
    momentum,
    numbers,
)
from tests.benchmarks.faults.plants.surgery import chance

Apply = Callable[[Plan], None]


@dataclass(frozen=True, slots=True)
class Style:
    """A valid way to train, as a change of a plan."""

    name: str
    """In kebab-case; unique."""
    apply: Apply
    """Changes the plan in place; deterministic given its seed."""
    fits: Callable[[Plan], bool]
    """Says whether it suits a plan."""


STYLES: dict[str, Style] = {}
"""All styles by name; ``plain`` changes nothing."""


def _style(fits: Callable[[Plan], bool] = anywhere) -> Callable[[Apply], Apply]:
    def keep(apply: Apply) -> Apply:
        name = apply.__name__.strip("_").replace("_", "-")
        STYLES[name] = Style(name, apply, fits)
        return apply

    return keep


def _no_norm(plan: Plan) -> bool:
    return not has(*NORMS)(plan)


@_style()
def plain(plan: Plan) -> None:
    """As its author wrote it."""


@_style()
def warmup(plan: Plan) -> None:
    """The rate rises linearly over 15 % of the steps."""
    plan.schedule = lambda optimizer, steps: LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / (0.15 * steps)))


@_style()
def cosine(plan: Plan) -> None:
    """The rate falls to zero along a cosine, by steps."""
    plan.schedule = lambda optimizer, steps: CosineAnnealingLR(optimizer, steps)


@_style()
def step_decay(plan: Plan) -> None:
    """The rate is cut to three tenths after two thirds of the epochs."""
    length = max(2 * plan.epochs // 3, 1)
    plan.schedule, plan.schedule_each = lambda optimizer, steps: StepLR(optimizer, length, 0.3), "epoch"


@_style()
def one_cycle(plan: Plan) -> None:
    """The rate rises to twice its value, and falls to nothing."""
    peak = 2 * plan.lr
    plan.schedule = lambda optimizer, steps: OneCycleLR(optimizer, peak, total_steps=steps + 1, cycle_momentum=False)


@_style(_no_norm)
def accumulate_4(plan: Plan) -> None:
    """Four small batches make a step."""
    plan.batch, plan.accumulate = max(plan.batch // 4, 2), 4


@_style(classified)
def label_smoothing(plan: Plan) -> None:
    """A tenth of each label is spread over all classes."""
    plan.loss = nn.CrossEntropyLoss(label_smoothing=0.1)


@_style()
def clip_1(plan: Plan) -> None:
    """Gradients are clipped to a norm of 1."""
    plan.clip = 1.0


@_style(floats)
def heavy_augmentation(plan: Plan) -> None:
    """Training images are shifted and noisy; other inputs are jittered."""
    random, spread = chance(plan), float(plan.data.x.std())

    def augment(x: Tensor) -> Tensor:
        if x.dim() == 4:
            shifts = torch.randint(-1, 2, (2,), generator=random).tolist()
            x = x.roll(shifts, (2, 3))
        return x + 0.2 * spread * torch.randn(x.shape, generator=random)

    plan.augment = augment


@_style(has(*DROPOUTS))
def high_dropout(plan: Plan) -> None:
    """Dropout takes half of the units, and longer training makes up for it."""
    for module in plan.model.modules():
        if isinstance(module, DROPOUTS):
            module.p = 0.5 if module.p >= 0.3 else 0.25
    plan.epochs = math.ceil(1.5 * plan.epochs)


def _wide(plan: Plan) -> bool:
    first = leaves(plan.model)[0][1]
    return hidden(plan) and flat_answers(plan) and not numbers(plan) and isinstance(first, nn.Linear | nn.Conv2d)


@_style(_wide)
def frozen_first_layer(plan: Plan) -> None:
    """The first layer keeps its weights; the optimizer is given the others."""
    leaves(plan.model)[0][1].requires_grad_(False)
    plan.parameters = lambda model: [one for one in model.parameters() if one.requires_grad]


def _squares(model: nn.Module) -> list[nn.Linear]:
    found = [one for one in model.modules() if isinstance(one, nn.Linear) and one.in_features == one.out_features]
    return found if len({one.in_features for one in found}) == 1 and isinstance(model, nn.Sequential) else []


@_style(lambda plan: len(_squares(plan.model)) > 1)
def tied_layers(plan: Plan) -> None:
    """Two square layers share one matrix."""
    first, second = _squares(plan.model)[:2]
    second.weight = first.weight


@_style()
def batch_times_4(plan: Plan) -> None:
    """Batches are four times as large, the rate twice, and there are twice as many epochs."""
    plan.batch, plan.lr, plan.epochs = 4 * plan.batch, 2 * plan.lr, 2 * plan.epochs


@_style(_no_norm)
def batch_of_8(plan: Plan) -> None:
    """Batches are small, and so is the rate."""
    plan.batch, plan.lr = 8, plan.lr / 2


@_style()
def no_validation(plan: Plan) -> None:
    """Nothing is validated."""
    plan.validate = False


@_style()
def weight_decay(plan: Plan) -> None:
    """Weights decay: by 0.01 where the decay is decoupled, else by 0.0001."""
    decoupled = issubclass(family(plan), torch.optim.AdamW)
    plan.options = plan.options | {"weight_decay": 0.01 if decoupled else 1e-4}


@_style()
def averaged_weights(plan: Plan) -> None:
    """A copy follows as a moving average; the training is not touched."""
    average = copy.deepcopy(plan.model).requires_grad_(False)

    def follow(plan: Plan, optimizer: torch.optim.Optimizer, epoch: int) -> None:
        with torch.no_grad():
            for mean, now in zip(average.parameters(), plan.model.parameters(), strict=True):
                mean.lerp_(now, 0.2)

    plan.after_epoch = follow


@_style(momentum)
def nesterov(plan: Plan) -> None:
    """The momentum is Nesterov's."""
    plan.options = plan.options | {"nesterov": True}


@_style(adam)
def amsgrad(plan: Plan) -> None:
    """Adam keeps the largest second moment, and its betas are those of Transformers."""
    plan.options = plan.options | {"amsgrad": True, "betas": (0.9, 0.98)}


@_style()
def other_seed(plan: Plan) -> None:
    """The order of the samples is drawn from another seed."""
    plan.seed += 1000


@_style()
def fixed_order(plan: Plan) -> None:
    """Rows were shuffled once, beforehand, and come in that order in each epoch."""
    plan.shuffle = False


@_style()
def large_validation(plan: Plan) -> None:
    """A fifth of the training rows validates instead, and there are more epochs for the rest."""
    data, cut = plan.data, round(0.8 * len(plan.data.x))
    x_val, y_val = torch.cat([data.x_val, data.x[cut:]]), torch.cat([data.y_val, data.y[cut:]])
    plan.data = replace(data, x=data.x[:cut], y=data.y[:cut], x_val=x_val, y_val=y_val)
    plan.epochs = math.ceil(1.25 * plan.epochs)


def _plain_head(plan: Plan) -> bool:
    return hidden(plan) and isinstance(leaves(plan.model)[-1][1], nn.Linear)


@_style(_plain_head)
def zero_head(plan: Plan) -> None:
    """The last layer starts at zero, so that the first answers are all the same."""
    with torch.no_grad():
        for one in leaves(plan.model)[-1][1].parameters():
            one.zero_()


@_style(_plain_head)
def faster_head(plan: Plan) -> None:
    """The last layer learns at twice the rate of the others, in a group of its own."""
    rate = 2 * plan.lr

    def groups(model: nn.Module) -> list[dict[str, object]]:
        head = list(leaves(model)[-1][1].parameters())
        own = {id(one) for one in head}
        return [{"params": [one for one in model.parameters() if id(one) not in own]}, {"params": head, "lr": rate}]

    plan.parameters = groups


@_style(numbers)
def huber(plan: Plan) -> None:
    """The loss of numbers is Huber's, with little regard to outliers."""
    plan.loss = nn.HuberLoss()
