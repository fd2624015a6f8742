"""The original training-doctor, unmodified."""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.faults.peers.peer import Peer
from tests.benchmarks.faults.plan import Plan

_LEVELS = {"critical": "error", "warning": "warning", "info": "info"}


class TrainingDoctor(Peer):
    """The original package with its default detectors; it is given loss, gradient norm and rate, and ``eval_loss``."""

    name = "training-doctor"
    package = "training_doctor"

    def on_begin(self, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        """Make a doctor."""
        self._doctor: Any = import_module("training_doctor").Doctor()
        self._plan, self._optimizer = plan, optimizer
        self._norm: float | None = None

    def on_backward(self, step: int, loss: Tensor) -> None:
        """Measure the gradient's norm: the package leaves that to its user."""
        squares = [one.grad.detach().square().sum() for one in self._plan.model.parameters() if one.grad is not None]
        self._norm = math.sqrt(float(sum(squares))) if squares else None

    def on_step(self, step: int, loss: Tensor) -> None:
        """Log a step."""
        norm = {} if self._norm is None else {"grad_norm": self._norm}
        self._doctor.log(step, loss=float(loss), lr=float(self._optimizer.param_groups[0]["lr"]), **norm)

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Log a validation."""
        if "val_loss" in row:
            self._doctor.log(self.steps, eval_loss=row["val_loss"])

    def on_end(self) -> None:
        """Collect all diagnoses."""
        for one in self._doctor.diagnoses:
            self.tell(
                one.detector_name,
                one.problem,
                severity=_LEVELS[one.severity.value],
                confidence=float(one.confidence),
                step=one.step,
            )
