"""AdaInject: Adam whose first moment takes in the parameter's last change as a hint of curvature."""

from typing import Any

from torch import Tensor

from dlcheck.components.optimizers.moments import MomentOptimizer, accumulate_moments

INJECTION = 2.0
"""The constant k of the paper, which its experiments leave at 2."""


class AdaInject(MomentOptimizer):
    """Adam with (gₜ + Δθ gₜ²) / k in place of gₜ in the first moment, Δθ = θₜ₋₂ − θₜ₋₁ and k = 2.

    The first step, which has no Δθ yet, is Adam's. This is AdamInject of Dubey, Basha, Singh and Chaudhuri
    (2022, IEEE Transactions on Artificial Intelligence, arXiv 2109.12504). As k halves the injected gradient,
    later steps are about half as long as Adam's at the same rate.
    """

    def update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change one parameter in place."""
        first = grad
        if "previous_parameter" in state:
            change = state["previous_parameter"] - parameter
            first = change.mul_(grad).mul_(grad).add_(grad).div_(INJECTION)
        state["previous_parameter"] = parameter.clone()
        mean, square = accumulate_moments(state, first, grad, group["betas"])
        parameter.addcdiv_(mean, square.sqrt_().add_(group["eps"]), value=-group["lr"])
