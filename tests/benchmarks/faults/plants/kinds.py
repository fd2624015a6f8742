"""Which plans a fault or a style applies to."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import nn

from tests.benchmarks.faults.plan import Plan

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d)
ACTIVATIONS = (nn.ReLU, nn.GELU, nn.Tanh, nn.Sigmoid)
DROPOUTS = (nn.Dropout, nn.Dropout2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
Fits = Callable[[Plan], bool]


def both(*fits: Fits) -> Fits:
    """All of these hold."""
    return lambda plan: all(one(plan) for one in fits)


def floats(plan: Plan) -> bool:
    """Inputs are measured numbers, no codes."""
    return plan.data.x.is_floating_point()


def table(plan: Plan) -> bool:
    """Inputs are rows of columns."""
    return floats(plan) and plan.data.x.dim() == 2


def classes(plan: Plan) -> bool:
    """One class a sample, told by cross-entropy."""
    return plan.data.task == "classes" and isinstance(plan.loss, nn.CrossEntropyLoss)


def classified(plan: Plan) -> bool:
    """Cross-entropy, of samples or of every place of a sequence."""
    return plan.data.task in ("classes", "tokens") and isinstance(plan.loss, nn.CrossEntropyLoss)


def binary(plan: Plan) -> bool:
    """One output, for yes or no."""
    return plan.data.task == "binary"


def numbers(plan: Plan) -> bool:
    """Targets are numbers."""
    return plan.data.task == "numbers"


def one_number(plan: Plan) -> bool:
    """The target is one number."""
    return numbers(plan) and plan.data.y.dim() == 2 and plan.data.y.shape[1] == 1


def labelled(plan: Plan) -> bool:
    """Each sample has a label: a class, or yes or no."""
    return plan.data.task in ("classes", "binary")


def one_target(plan: Plan) -> bool:
    """Each sample has one label or one number."""
    return labelled(plan) or one_number(plan)


def flat_answers(plan: Plan) -> bool:
    """The model answers each sample with a row of numbers."""
    return plan.data.task != "tokens"


def reduced(plan: Plan) -> bool:
    """The loss is one of PyTorch's, with a reduction."""
    return isinstance(plan.loss, nn.CrossEntropyLoss | nn.MSELoss | nn.BCEWithLogitsLoss)


def has(*kinds: type[nn.Module]) -> Fits:
    """The model has a module of one of these kinds."""
    return lambda plan: any(isinstance(module, kinds) for module in plan.model.modules())


def random_layers(plan: Plan) -> bool:
    """The model behaves otherwise in training than in evaluation."""
    dropping = any(isinstance(module, DROPOUTS) and module.p > 0 for module in plan.model.modules())
    return dropping or has(*NORMS)(plan)


def layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return linear and convolutional layers with their names, in the order of the model."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, WEIGHTED)]


def leaves(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return modules that own parameters themselves, with their names."""
    return [(name, module) for name, module in model.named_modules() if list(module.parameters(recurse=False))]


def hidden(plan: Plan) -> bool:
    """The model has a hidden layer."""
    return len(leaves(plan.model)) > 1


def sequence_of_layers(plan: Plan) -> bool:
    """The model is a plain stack with a hidden linear layer and an activation after it."""
    model = plan.model
    if not isinstance(model, nn.Sequential) or not hidden(plan):
        return False
    return isinstance(model[0], nn.Linear) and any(isinstance(module, ACTIVATIONS) for module in model)


def followed(model: nn.Module, kind: type[nn.Module]) -> list[tuple[str, nn.Module]]:
    """Return layers of a stack that an activation of this kind follows at once."""
    if not isinstance(model, nn.Sequential):
        return []
    named = list(model.named_children())
    pairs = itertools.pairwise(named)
    return [one for one, (_, after) in pairs if isinstance(one[1], WEIGHTED) and isinstance(after, kind)]


def family(plan: Plan) -> type[torch.optim.Optimizer]:
    """Return the class of the plan's optimizer."""
    return type(plan.optimizer([nn.Parameter(torch.zeros(1))], plan.lr))


def sgd(plan: Plan) -> bool:
    """Plain or with momentum."""
    return issubclass(family(plan), torch.optim.SGD)


def momentum(plan: Plan) -> bool:
    """Gradient descent with momentum."""
    made = plan.optimizer([nn.Parameter(torch.zeros(1))], plan.lr)
    return sgd(plan) and made.defaults["momentum"] > 0


def adam(plan: Plan) -> bool:
    """Adam or AdamW."""
    return issubclass(family(plan), torch.optim.Adam)
