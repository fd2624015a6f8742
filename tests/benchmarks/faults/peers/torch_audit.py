"""The original torch-audit, unmodified."""

from __future__ import annotations

from importlib import import_module
from types import MethodType
from typing import Any

import torch
from torch import nn

from tests.benchmarks.faults.peers.peer import Peer
from tests.benchmarks.faults.peers.signals import guard, guarded
from tests.benchmarks.faults.plan import Plan

_LEVELS = {"FATAL": "error", "ERROR": "error", "WARN": "warning", "INFO": "info"}
EVERY = 10
"""Steps between audits; its own 1000 would see one step of a small training."""


class _Forward:
    """A model's patched ``forward``, which a deep copy of the model does not take along."""

    def __init__(self, model: nn.Module) -> None:
        self._model, self._patched = model, model.forward

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self._patched(*given, **named)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        twin = memo[id(self._model)]
        return MethodType(type(twin).forward, twin)


class TorchAudit(Peer):
    """The original package in its own zero-touch mode, with its static and initial audits."""

    name = "torch-audit"
    package = "torch_audit"

    def on_begin(self, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        """Patch model and optimizer as its users would."""
        self._model, known = plan.model, guard(plan.model)
        patch = import_module("torch_audit").autopatch
        self._auditor: Any = patch(plan.model, optimizer=optimizer, reporters=[], every_n_steps=EVERY)
        plan.model.forward = _Forward(plan.model)
        guarded(plan.model, known)

    def on_end(self) -> None:
        """Collect its findings; it counts steps from 0."""
        for one in self._auditor.finish().findings:
            where = one.module_path or one.entity
            level = _LEVELS[one.severity.value]
            self.tell(one.rule_id, one.message, layer=where, severity=level, step=(one.step or 0) + 1)

    def close(self) -> None:
        """Give model and optimizer their own methods back."""
        auditor = getattr(self, "_auditor", None)
        if auditor is not None:
            auditor.unpatch()
            self._model.__dict__.pop("forward", None)
