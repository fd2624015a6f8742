"""What every peer shares: it listens to a training, never breaks it, and has something told at the end."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.faults.plan import Plan
from tests.benchmarks.faults.record import Told

_RANK = {"info": 0, "warning": 1, "error": 2}


class Peer:
    """A ``Recorder`` that after ``end`` has ``told``.

    A peer may fail in any way: that is kept in ``failed``, the training goes on, and what it told until then stands.
    One that is not installed says so in ``failed`` and tells nothing. An object serves one training.
    """

    name = ""
    package = ""
    """What must be importable; empty: nothing beyond this repository."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.failed: str | None = None
        self.steps = 0

    def available(self) -> str | None:
        """Return why it cannot be asked; None if it can."""
        if not self.package:
            return None
        try:
            import_module(self.package)
        except Exception as error:  # whatever an import may raise, it is not available
            return f"{self.package} cannot be imported: {type(error).__name__}: {error}".splitlines()[0]
        return None

    def begin(self, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        """Start listening."""
        self.failed = self.available()
        self._attempt(self.on_begin, plan, optimizer)

    def backward(self, step: int, loss: Tensor) -> None:
        """Hear of a backward pass."""
        self._attempt(self.on_backward, step, loss)

    def step(self, step: int, loss: Tensor) -> None:
        """Hear of a step."""
        self.steps = step
        self._attempt(self.on_step, step, loss)

    def epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Hear of an epoch's row."""
        self._attempt(self.on_epoch, epoch, row)

    def end(self) -> None:
        """Stop listening; ``told`` is complete, and its worst is primary."""
        self._attempt(self.on_end)
        self.close()
        if self.told:
            worst = max(self.told, key=lambda one: (_RANK[one.severity], one.confidence, -(one.step or 0)))
            worst.primary = True

    def tell(
        self,
        code: str,
        summary: str = "",
        *,
        layer: str | None = None,
        severity: str = "warning",
        confidence: float = 1.0,
        step: int | None = None,
    ) -> None:
        """Keep a finding: of each code and layer the first, with the worst severity that it ever had."""
        for one in self.told:
            if (one.code, one.layer) == (code, layer):
                if _RANK[severity] > _RANK[one.severity]:
                    one.severity = severity
                one.confidence = max(one.confidence, confidence)
                return
        at = self.steps if step is None else step
        self.told.append(Told(code, severity, confidence, layer=layer, step=at, summary=summary))

    def on_begin(self, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        """Set up."""

    def on_backward(self, step: int, loss: Tensor) -> None:
        """Read what stands after a backward pass."""

    def on_step(self, step: int, loss: Tensor) -> None:
        """Read what stands after a step."""

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Read a row of the log."""

    def on_end(self) -> None:
        """Judge."""

    def close(self) -> None:
        """Remove all that was hung on the training; called whatever happened."""

    def _attempt(self, call: Callable[..., None], *given: Any) -> None:
        if self.failed is not None:
            return
        try:
            call(*given)
        except Exception as error:  # a peer may fail in any way: it is told of, the training goes on
            self.failed = f"{type(error).__name__}: {error}".splitlines()[0]
