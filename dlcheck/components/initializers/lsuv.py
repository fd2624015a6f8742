"""Layer-sequential unit variance."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite, sqrt

import torch
from torch import Tensor, nn

from dlcheck.components.initializers.fill import WEIGHTED, Draw, fill, fill_biases, fill_weights
from dlcheck.components.initializers.laws import orthogonal
from dlcheck.components.initializers.registry import INITIALIZERS, Setting
from dlcheck.recipe.model import LsuvInit


@INITIALIZERS.register(LsuvInit)
def fill_lsuv(section: LsuvInit, setting: Setting) -> None:
    """Make weights orthogonal, then scale layer by layer until each one's output on a batch has variance 1.

    Layers are taken in the order in which they run, and the model runs as in evaluation, without dropout. A layer
    whose output does not vary stays orthogonal. Mishkin & Matas 2016, "All you need is a good init", ICLR,
    arXiv:1511.06422.
    """
    fill_weights(setting.scope, orthogonal())
    fill_biases(setting.scope, section.bias)
    inside = set(setting.scope.modules())
    with torch.no_grad(), _evaluating(setting.model):
        for layer in execution_order(setting.model, setting.sample):
            if layer in inside:
                _scale(layer, setting, section)


def execution_order(model: nn.Module, sample: tuple[Tensor, ...]) -> list[nn.Module]:
    """Return the linear and convolutional layers in the order of their first use."""
    order: dict[nn.Module, None] = {}

    def note(module: nn.Module, inputs: object, output: object) -> None:
        order.setdefault(module)

    hooks = [m.register_forward_hook(note) for m in model.modules() if isinstance(m, WEIGHTED)]
    try:
        model(*sample)
    finally:
        for hook in hooks:
            hook.remove()
    return list(order)


def _scale(layer: nn.Module, setting: Setting, section: LsuvInit) -> None:
    for _ in range(section.max_iterations):
        variance = output_variance(layer, setting.model, setting.sample)
        if not isfinite(variance) or variance == 0 or abs(variance - 1) < section.tolerance:
            return
        fill(layer, "weight", _divide(sqrt(variance)))


def _divide(divisor: float) -> Draw:
    def draw(weight: Tensor) -> None:
        weight.div_(divisor)

    return draw


def output_variance(layer: nn.Module, model: nn.Module, sample: tuple[Tensor, ...]) -> float:
    """Return the variance of all numbers that a layer puts out for a batch."""
    seen: list[Tensor] = []

    def note(module: nn.Module, inputs: object, output: Tensor) -> None:
        seen.append(output.detach().float().var())

    hook = layer.register_forward_hook(note)
    try:
        model(*sample)
    finally:
        hook.remove()
    return float(seen[0])


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
