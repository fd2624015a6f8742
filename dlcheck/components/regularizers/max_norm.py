"""A bound on the weights into each unit."""

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from dlcheck.components.regularizers.hook import StepHook
from dlcheck.errors import DlcheckError


class MaxNorm(StepHook):
    """Scales the weights into a unit back to ``limit`` after each step, where their L2 norm exceeds it.

    A unit is a row of a linear, recurrent or attention weight, or a filter of a convolution; biases do not
    count (Srivastava et al. 2014, JMLR 15, section 5.1).

    Raises:
        DlcheckError: the model has no such weight.
    """

    def __init__(self, model: nn.Module, limit: float) -> None:
        self.limit = limit
        self.weights: list[tuple[Tensor, int, int]] = []
        """Weight, axis of its units, and groups of its inputs that have units of their own."""
        for module in model.modules():
            self.weights += _unit_weights(module)
        if not self.weights:
            raise DlcheckError("regularize.max_norm: the model has no linear, convolution or recurrent layer")

    @torch.no_grad()
    def after_step(self) -> None:
        """Scale trainable weights in place."""
        for weight, axis, groups in self.weights:
            if not weight.requires_grad:
                continue
            for part in weight.chunk(groups) if groups > 1 else (weight,):
                part.renorm_(p=2, dim=axis, maxnorm=self.limit)


def _unit_weights(module: nn.Module) -> list[tuple[Tensor, int, int]]:
    if isinstance(module, _ConvTransposeNd):
        return [(module.weight, 1, module.groups)]  # (inputs, units per group, ...): the inputs are grouped
    if isinstance(module, nn.Linear | _ConvNd):
        return [(module.weight, 0, 1)]
    if isinstance(module, nn.RNNBase | nn.MultiheadAttention):
        own = module.named_parameters(recurse=False)
        return [(weight, 0, 1) for name, weight in own if "weight" in name]
    return []
