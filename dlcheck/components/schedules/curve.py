"""The shape of a schedule: rates that change by step, by epoch, or by what is monitored."""

from collections.abc import Callable
from typing import Any, Literal, Protocol

import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

Pace = Literal["step", "epoch", "monitored"]


class Curve(Protocol):
    """What a rate schedule steps along."""

    pace: Pace
    """When to advance: after every optimizer step, every epoch, or every epoch with the monitored value."""

    def rates(self, base: list[float]) -> list[float]:
        """Return the present rate of each parameter group, given its base rate."""
        ...

    def momentum(self) -> float | None:
        """Return the momentum that goes with it; None leaves momentum alone."""
        ...

    def advance(self, monitored: float | None) -> None:
        """Go on by one step or epoch."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return what ``load_state_dict`` needs to continue from here."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where ``state_dict`` was called."""
        ...


class TorchCurve:
    """A curve drawn by a scheduler of PyTorch over a stand-in optimizer whose rate is 1.

    The stand-in has momentum, so that schedulers that cycle it work for every optimizer; and it makes one
    empty step at the start, so that no skipped step of the real one raises PyTorch's warning about the order.
    """

    def __init__(
        self,
        make: Callable[[torch.optim.Optimizer], LRScheduler],
        pace: Pace,
        *,
        last: int | None = None,
        moves_momentum: bool = False,
    ) -> None:
        self.pace = pace
        self.last = last
        """The curve's last step; it stays there."""
        self._moves_momentum = moves_momentum
        stand_in = torch.nn.Parameter(torch.empty(0))
        self._optimizer = torch.optim.SGD([stand_in], lr=1.0, momentum=0.9, foreach=False)
        self._scheduler = make(self._optimizer)
        self._optimizer.step()

    def rates(self, base: list[float]) -> list[float]:
        """Return each base rate times the present factor."""
        factor = max(0.0, float(self._optimizer.param_groups[0]["lr"]))
        return [rate * factor for rate in base]

    def momentum(self) -> float | None:
        """Return the momentum that goes with it; None when the curve does not move momentum."""
        return float(self._optimizer.param_groups[0]["momentum"]) if self._moves_momentum else None

    def advance(self, monitored: float | None) -> None:
        """Go on by one; a curve by monitored value stays where it is without one."""
        if isinstance(self._scheduler, ReduceLROnPlateau):
            if monitored is not None:
                self._scheduler.step(monitored)
        elif self.last is None or self._scheduler.last_epoch < self.last:
            self._scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's state and where its rate and momentum stand."""
        group = self._optimizer.param_groups[0]
        return {
            "scheduler": self._scheduler.state_dict(),
            "factor": group["lr"],
            "momentum": group["momentum"],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where ``state_dict`` was called."""
        self._scheduler.load_state_dict(dict(state["scheduler"]))
        group = self._optimizer.param_groups[0]
        group["lr"], group["momentum"] = state["factor"], state["momentum"]
