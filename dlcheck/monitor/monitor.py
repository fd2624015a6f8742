"""Measures one training by hooks on its models and optimizers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlcheck.monitor.record import Record


class Monitor:
    """Measures one training by hooks on its models and optimizers, within an overhead budget that it measures itself."""

    def __init__(self, record: Record, *, budget: float = 0.02) -> None:
        self.record, self.budget = record, budget
        self.step = 0
        """Optimizer steps made so far: those of the optimizer that has made most."""

    def add_model(self, model: nn.Module, name: str = "") -> None:
        """Watch a model; with several, ``name`` and a dot stand before the names of its layers."""

    def add_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Watch an optimizer's steps; several are allowed."""

    def add_scaler(self, scaler: torch.amp.GradScaler) -> None:
        """Watch a gradient scaler."""

    def batch(self, batch: object, wait_s: float | None = None) -> None:
        """Take note of a training batch, any nest of tensors, and how long the loop waited for it."""

    def loss(self, loss: Tensor, *, again: Callable[[], Tensor] | None = None) -> None:
        """Take note of a loss just before its backward pass.

        Args:
            loss: One number, with its graph.
            again: Computes it anew from the same batch, for a replay; unset: the model's last forward pass is repeated.
        """

    def backward_ended(self) -> None:
        """Take note that a backward pass is over."""

    def clipped(self, norm: Tensor | float, limit: float) -> None:
        """Take note of what ``clip_grad_norm_`` returned."""

    def epoch(self, epoch: int) -> None:
        """Take note of a new epoch, counted from 1."""

    def close(self) -> None:
        """Read what is left, remove all hooks and put the facts into the record."""
