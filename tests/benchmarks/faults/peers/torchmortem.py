"""The original torchmortem, unmodified."""

from __future__ import annotations

import atexit
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.faults.peers.peer import Peer
from tests.benchmarks.faults.peers.signals import guard, guarded
from tests.benchmarks.faults.plan import Plan

_LEVELS = {"CRITICAL": "error", "WARNING": "warning", "INFO": "info"}


class Torchmortem(Peer):
    """The original package in its default sampling, told of each step's loss.

    It judges after the training alone, so that a finding's step is where what it found began, not when it was told.
    """

    name = "torchmortem"
    package = "torchmortem"

    def on_begin(self, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        """Attach it; its hooks hear the model that trains, not copies of it."""
        known = guard(plan.model)
        self._autopsy: Any = import_module("torchmortem").Autopsy(plan.model, optimizer=optimizer)
        self._autopsy.attach()
        guarded(plan.model, known)

    def on_step(self, step: int, loss: Tensor) -> None:
        """Tell it a step."""
        self._autopsy.step(loss=float(loss))

    def on_end(self) -> None:
        """Let it judge, and collect its findings."""
        self._autopsy.detach()
        report = self._autopsy.get_report()
        for one in report.findings:
            layer = one.affected_layers[0] if one.affected_layers else None
            level = _LEVELS[one.severity.name]
            self.tell(one.category, one.title, layer=layer, severity=level, step=int(one.step_range[0]))

    def close(self) -> None:
        """Detach it, whatever happened, and take it off the list of what is called as Python ends."""
        autopsy = getattr(self, "_autopsy", None)
        if autopsy is not None:
            for one in autopsy._collectors:
                one.detach()
            atexit.unregister(autopsy._atexit_handler)
