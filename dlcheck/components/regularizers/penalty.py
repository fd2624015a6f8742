"""Penalties on the size of weights."""

import torch
from torch import Tensor, nn

from dlcheck.components.optimizers.groups import norm_and_bias_names
from dlcheck.components.regularizers.hook import StepHook


def penalized_parameters(model: nn.Module, *, penalize_bias: bool = False) -> list[nn.Parameter]:
    """Return the weights of a model, norms and biases only if asked for; shared ones once."""
    spared = set() if penalize_bias else norm_and_bias_names(model)
    return [parameter for name, parameter in model.named_parameters() if name not in spared]


class Penalty(StepHook):
    """Adds the gradient of l1 · Σ|w| + l2 / 2 · Σw², l1 · sign(w) + l2 · w, to that of the loss.

    L1 alone is the lasso (Tibshirani 1996, JRSS B 58), L2 alone ridge or weight decay (Krogh and Hertz 1991,
    NIPS), both the elastic net (Zou and Hastie 2005, JRSS B 67). The reported loss does not contain them.
    """

    def __init__(self, parameters: list[nn.Parameter], *, l1: float, l2: float) -> None:
        self.parameters = parameters
        self.l1 = l1
        self.l2 = l2

    @torch.no_grad()
    def after_backward(self) -> None:
        """Add to the gradients in place; parameters without one are left out."""
        with_grad = [parameter for parameter in self.parameters if parameter.grad is not None]
        weights: list[Tensor] = [parameter.detach() for parameter in with_grad]
        grads = [parameter.grad for parameter in with_grad if parameter.grad is not None]
        if not grads:
            return
        if self.l2:
            torch._foreach_add_(grads, weights, alpha=self.l2)
        if self.l1:
            torch._foreach_add_(grads, torch._foreach_sign(weights), alpha=self.l1)
