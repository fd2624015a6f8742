"""One training, laid out so that a style or a fault can change any part of it before it begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler

Loss = Callable[[Any, Tensor], Tensor]
"""Takes a model's output and the target, and returns one number."""


@dataclass
class Data:
    """Training and validation samples, inputs first; the first dimension counts samples."""

    name: str
    x: Tensor
    y: Tensor
    x_val: Tensor
    y_val: Tensor
    task: str
    """``classes``: y holds codes; ``binary``: 0.0 or 1.0, (N, 1); ``numbers``: (N, 1) or like the output; ``tokens``:
    codes of the next token, (N, T)."""
    classes: int = 0


class Recorder(Protocol):
    """What is told of a training while it runs: dlcheck needs none of it, a peer may."""

    def begin(self, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        """The training begins."""

    def backward(self, step: int, loss: Tensor) -> None:
        """A backward pass is over; gradients stand, weights are as before. Steps count from 1."""

    def step(self, step: int, loss: Tensor) -> None:
        """The optimizer has made a step."""

    def epoch(self, epoch: int, row: dict[str, float]) -> None:
        """An epoch is over: the row of the log. Epochs count from 1."""

    def end(self) -> None:
        """The training is over, or was stopped by an exception."""


@dataclass
class Plan:
    """A training as its author wrote it. Whoever changes a field plants a fault, or sets a style."""

    data: Data
    model: nn.Module
    loss: Loss
    optimizer: Callable[[Iterable[Any], float], torch.optim.Optimizer]
    """Makes one from parameters and a rate."""
    lr: float
    batch: int = 32
    epochs: int = 20
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    """Set on every group of the optimizer once it is built: weight decay, momentum, …"""
    parameters: Callable[[nn.Module], Iterable[Any]] = nn.Module.parameters
    """What the optimizer is given."""
    schedule: Callable[[torch.optim.Optimizer, int], LRScheduler] | None = None
    """Takes the optimizer and the number of steps of the whole training."""
    schedule_each: str = "step"
    """``step`` or ``epoch``."""
    shuffle: bool = True
    order: Callable[[Data], Tensor] | None = None
    """Rows in the order in which an unshuffled loader yields them."""
    augment: Callable[[Tensor], Tensor] | None = None
    """Changes the inputs of a training batch."""
    augment_val: bool = False
    """The same of validation batches."""
    accumulate: int = 1
    """Batches to a step."""
    clip: float | None = None
    zero_grad: bool = True
    backward: bool = True
    step: bool = True
    train_mode: bool = True
    """The model is in training mode while it trains."""
    eval_mode: bool = True
    """The model is in evaluation mode while it is evaluated."""
    validate: bool = True
    grad_in_eval: bool = False
    """The evaluation records graphs, and adds up its losses with them."""
    keep_graphs: bool = False
    """Losses of batches are added up with their graphs."""
    before_step: Callable[[Plan, torch.optim.Optimizer, int], None] | None = None
    """Called between the backward pass and the step, with the step's number from 1."""
    after_epoch: Callable[[Plan, torch.optim.Optimizer, int], None] | None = None
    target: Callable[[Tensor], Tensor] | None = None
    """Changes the targets of a training batch."""
