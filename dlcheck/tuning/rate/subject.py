"""What a rate is looked for: a model with its loss, its batches, its optimizer and its schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dlcheck.checks.patient import Patient
from dlcheck.components.batches import Batch
from dlcheck.components.regularizers import StepHook
from dlcheck.recipe.train import Train
from dlcheck.training.step import Stepper
from dlcheck.tuning.rate.batches import Steps
from dlcheck.tuning.rate.shape import Shape

MakeOptimizer = Callable[[float], torch.optim.Optimizer]


@dataclass(slots=True)
class Subject:
    """Everything that a short run needs. What runs use of it is put back after each."""

    name: str
    patient: Patient
    """Model, loss and optimizer, and where they lie."""
    steps: Steps
    optimizer: MakeOptimizer
    """Gives the optimizer with this rate, every group's in the proportion that the user gave it."""
    shape: Shape
    rate: float
    """The present rate, which the suggestion is compared with."""
    train: Train
    hooks: Sequence[StepHook]
    model: Any
    """The model as it is run, compiled where the recipe says so."""
    loss: Any
    prepare: Callable[[Batch], Batch]
    """Makes of a batch what the network sees: augmentation."""

    def stepper(self) -> Stepper:
        """Return what makes the steps: loss scaling, penalties and clipping included."""
        return Stepper(self.model, self.loss, self.hooks, self.train, self.patient.device)

    @property
    def batch_size(self) -> int:
        """Samples in a full step."""
        return sum(len(batch[-1]) for batch in next(self.steps.take(1)))
