"""AngularGrad: Adam that shortens steps where consecutive gradients turn."""

import math
from typing import Any

import torch
from torch import Tensor

from dlcheck.components.optimizers.moments import MomentOptimizer, accumulate_moments


class AngularGrad(MomentOptimizer):
    """Adam with each entry's step scaled by φ = ½ tanh(cos A) + ½, between ½ and 0.88.

    Aₜ = arctan |(gₜ − gₜ₋₁) / (1 + gₜ gₜ₋₁)| is the angle between lines whose slopes are two consecutive
    gradients, entry by entry, and A is the smaller of Aₜ and Aₜ₋₁; g₀ = 0, and A₀ = π/2 so that the first
    step uses A₁. This is the cosine variant with λ₁ = λ₂ = ½ of Roy, Paoletti, Haut, Dubey, Kar, Plaza and
    Chaudhuri (2021, arXiv 2105.10190). Their published program starts the smallest angle at 0 instead, where
    it stays, so that φ is ½ throughout; the paper's rule is what runs here.
    """

    def update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change one parameter in place."""
        if "previous_grad" not in state:
            state["previous_grad"] = torch.zeros_like(parameter)
            state["previous_angle"] = torch.full_like(parameter, math.pi / 2)
        mean, square = accumulate_moments(state, grad, grad, group["betas"])
        previous = state["previous_grad"]
        angle = ((grad - previous) / (1 + grad * previous)).abs_().atan_()
        smaller = torch.minimum(angle, state["previous_angle"])
        coefficient = smaller.cos_().tanh_().mul_(0.5).add_(0.5)
        parameter.addcdiv_(mean.mul_(coefficient), square.sqrt_().add_(group["eps"]), value=-group["lr"])
        state["previous_grad"].copy_(grad)
        state["previous_angle"].copy_(angle)
