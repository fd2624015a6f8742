"""Adam without the correction of its running means for their start at zero."""

from typing import Any

from torch import Tensor

from dlcheck.components.optimizers.moments import MomentOptimizer


class UncorrectedAdam(MomentOptimizer):
    """θ ← θ − lr · m / (√v + ε), m and v the running means of the gradient and its square as they stand.

    With the usual β₂ the second mean lags further behind than the first: the first steps come out
    (1 − β₁) / √(1 − β₂) ≈ 3 times too long. Section 3 of Kingma and Ba (2015, ICLR, arXiv 1412.6980)
    derives the correction that is left out here.
    """

    def update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change one parameter in place."""
        beta1, beta2 = group["betas"]
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        parameter.addcdiv_(mean, square.sqrt().add_(group["eps"]), value=-group["lr"])
