"""The learning rate over a training: linear warm-up, then a curve."""

from typing import Any

import torch

from dlcheck.components.schedules.curve import Curve
from dlcheck.errors import DlcheckError


class RateSchedule:
    """Sets the rates of an optimizer's parameter groups, each from its own base rate.

    In steps t < W of a warm-up of W steps the rate is (t + 1) / W times the base; the curve begins at step W.
    A curve that moves by epoch counts the epochs that begin after the warm-up.

    Attributes:
        name: of the schedule, as in the recipe.
        warmup_steps: W.
    """

    def __init__(
        self,
        name: str,
        optimizer: torch.optim.Optimizer,
        base: list[float],
        *,
        curve: Curve | None,
        warmup_steps: int = 0,
    ) -> None:
        self.name = name
        self.warmup_steps = warmup_steps
        self._optimizer = optimizer
        self._base = base
        self._curve = curve
        self._steps = 0
        self._epoch_counts = warmup_steps == 0
        self._apply()

    def after_step(self) -> None:
        """Move on; to be called after every optimizer step, skipped ones included."""
        self._steps += 1
        curve = self._curve
        if self._steps <= self.warmup_steps:
            self._apply()
        elif curve is not None and curve.pace == "step":
            curve.advance(None)
            self._apply()

    def after_epoch(self, monitored: float | None = None) -> None:
        """Move on; to be called after every epoch.

        Args:
            monitored: what a plateau watches, smaller being better; None leaves it as it is.
        """
        curve = self._curve
        if self._epoch_counts and curve is not None and curve.pace != "step":
            curve.advance(monitored)
            self._apply()
        self._epoch_counts = self._steps >= self.warmup_steps

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs to continue from here: plain numbers, lists and dicts."""
        return {
            "name": self.name,
            "steps": self._steps,
            "epoch_counts": self._epoch_counts,
            "base": list(self._base),
            "curve": self._curve.state_dict() if self._curve is not None else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where ``state_dict`` was called, and set the optimizer's rates accordingly.

        Raises:
            DlcheckError: the state is another schedule's, or for another number of parameter groups.
        """
        if state["name"] != self.name or len(state["base"]) != len(self._base):
            raise DlcheckError(
                f"schedule: the saved state is of {state['name']} over {len(state['base'])} parameter groups, "
                f"this run has {self.name} over {len(self._base)}"
            )
        self._steps = state["steps"]
        self._epoch_counts = state["epoch_counts"]
        self._base = list(state["base"])
        if self._curve is not None:
            self._curve.load_state_dict(state["curve"])
        self._apply()

    def _apply(self) -> None:
        rates, momentum = self._base, None
        if self._steps < self.warmup_steps:
            rates = [rate * (self._steps + 1) / self.warmup_steps for rate in rates]
        elif self._curve is not None:
            rates, momentum = self._curve.rates(rates), self._curve.momentum()
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
            if momentum is not None:
                _set_momentum(group, momentum)


def _set_momentum(group: dict[str, Any], momentum: float) -> None:
    """Set whichever momentum an optimizer has and uses; many have none."""
    if group.get("momentum"):
        group["momentum"] = momentum
    elif "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
