"""The base of our re-implementations: rules over sampled tensors, the loss of each step, and the log's rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tests.benchmarks.faults.peers.peer import Peer
from tests.benchmarks.faults.peers.signals import Sample, Signals
from tests.benchmarks.faults.plan import Plan


class Rules(Peer):
    """Rules written after a published system: thresholds are its own, the code is ours."""

    every = 10
    """Steps between samples."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []
        """Of each step's last batch."""
        self.rows: list[dict[str, float]] = []
        self.plan: Plan
        self.signals: Signals | None = None

    def on_begin(self, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        """Hang on to the model, then look at data and weights."""
        self.plan = plan
        self.signals = Signals(plan.model, self.every)
        self.before(plan)

    def on_backward(self, step: int, loss: Tensor) -> None:
        """Copy gradients where the step is sampled."""
        if self.signals is not None:
            self.signals.backward(step)

    def on_step(self, step: int, loss: Tensor) -> None:
        """Judge the loss, and the sample if there is one."""
        self.losses.append(float(loss.detach()))
        self.each(step, self.losses[-1])
        sample = self.signals.step(step) if self.signals is not None else None
        if sample is not None:
            self.sampled(sample)

    def on_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Judge the rows."""
        self.rows.append(row)
        self.row(epoch)

    def close(self) -> None:
        """Remove all hooks."""
        if self.signals is not None:
            self.signals.close()
            self.signals = None

    def before(self, plan: Plan) -> None:
        """Judge what can be judged before the first step."""

    def each(self, step: int, loss: float) -> None:
        """Judge a step by its loss."""

    def sampled(self, sample: Sample) -> None:
        """Judge a sampled step."""

    def row(self, epoch: int) -> None:
        """Judge ``rows``, of which the last is new."""

    def column(self, key: str) -> list[float]:
        """Return a column of the log; rows without it are left out."""
        return [one[key] for one in self.rows if key in one]


def broken(values: list[float]) -> bool:
    """Return whether any is not finite."""
    return any(not math.isfinite(one) for one in values)


def imbalance(labels: Tensor) -> Tensor:
    """Return how often each label occurs; labels are codes, or 0.0 and 1.0."""
    counts: Tensor = torch.unique(labels, return_counts=True)[1].float()
    return counts
