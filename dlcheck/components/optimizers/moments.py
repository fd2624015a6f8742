"""What the optimizers written here have in common: the first two moments of each parameter's gradient."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class MomentOptimizer(torch.optim.Optimizer):
    """Runs over parameters and keeps their step count; a subclass turns one gradient into one update.

    Weight decay is L2: weight_decay · parameter is added to the gradient, which itself stays as it was.
    """

    def __init__(
        self,
        params: Any,
        *,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; return what the closure returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step_one(parameter, group)
        return loss

    def _step_one(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = 0
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        grad = parameter.grad
        assert grad is not None
        if group["weight_decay"]:
            grad = grad.add(parameter, alpha=group["weight_decay"])
        self.update(parameter, grad, state, group)

    @abstractmethod
    def update(self, parameter: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change one parameter in place; its ``state`` holds ``step`` (from 1) and both moments."""


def accumulate_moments(
    state: dict[str, Any], first: Tensor, grad: Tensor, betas: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Move both running means on, and return them corrected for their start at zero.

    m ← β₁ m + (1 − β₁) ``first``, v ← β₂ v + (1 − β₂) ``grad``², then m / (1 − β₁ᵗ) and v / (1 − β₂ᵗ)
    (Kingma and Ba 2015, ICLR, arXiv 1412.6980, algorithm 1).
    """
    beta1, beta2 = betas
    mean, square = state["exp_avg"], state["exp_avg_sq"]
    mean.lerp_(first, 1 - beta1)
    square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    return mean / (1 - beta1 ** state["step"]), square / (1 - beta2 ** state["step"])
