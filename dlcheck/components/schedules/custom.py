"""The user's own scheduler."""

import warnings
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from dlcheck.components.schedules.curve import Pace
from dlcheck.components.target import call_target
from dlcheck.errors import DlcheckError
from dlcheck.recipe.optimizer import CustomSchedule


class CustomCurve:
    """The user's scheduler over the real optimizer, whose rates it sets between epochs.

    Raises:
        DlcheckError: the target fails, or what it returns lacks a method that schedulers have.
    """

    pace: Pace = "monitored"

    def __init__(self, section: CustomSchedule, optimizer: torch.optim.Optimizer, folder: Path) -> None:
        self._optimizer = optimizer
        self._scheduler = call_target(section.target, folder, optimizer, **section.arguments)
        for method in ("step", "state_dict", "load_state_dict"):
            if not callable(getattr(self._scheduler, method, None)):
                raise DlcheckError(
                    f'schedule.target = "{section.target}": expected a scheduler, but it has no {method}()'
                )
        self._rates = self._read()

    def rates(self, base: list[float]) -> list[float]:
        """Return the rates that the scheduler set last."""
        return self._rates

    def momentum(self) -> float | None:
        """Return None: the scheduler sets momentum itself."""
        return None

    def advance(self, monitored: float | None) -> None:
        """Step the scheduler, once the warm-up has left the rates to it."""
        with warnings.catch_warnings():
            # A loss scaler that skipped every step so far is no mistake in the order of calls.
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            if not isinstance(self._scheduler, ReduceLROnPlateau):
                self._scheduler.step()
            elif monitored is not None:
                self._scheduler.step(monitored)
        self._rates = self._read()

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's state and its last rates."""
        return {"scheduler": self._scheduler.state_dict(), "rates": list(self._rates)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where ``state_dict`` was called."""
        self._scheduler.load_state_dict(dict(state["scheduler"]))
        self._rates = list(state["rates"])

    def _read(self) -> list[float]:
        return [float(group["lr"]) for group in self._optimizer.param_groups]
