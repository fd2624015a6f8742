"""One training step, in a form that can be copied: on real tensors, or on tensors without memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.checks.patient import Patient
from dlcheck.components.batches import Batch
from dlcheck.components.regularizers import StepHook
from dlcheck.recipe.train import Train
from dlcheck.training.step import Stepper, autocast


@dataclass(slots=True)
class Work:
    """What takes part in a step; deep copies of it are independent of it."""

    model: nn.Module
    loss: Any
    """Takes the model's output and the target, and returns one number."""
    optimizers: tuple[torch.optim.Optimizer, ...]
    device: torch.device
    hooks: Sequence[StepHook] = ()
    train: Train | None = None
    """Of a recipe: precision, clipping, accumulation; None: a plain step."""
    channels_last: bool = False

    @property
    def accumulated(self) -> int:
        """Batches that make up one step."""
        return 1 if self.train is None else self.train.accumulate

    def placed(self, batch: Batch) -> Batch:
        """Return a batch in the memory format in which it is trained on."""
        if self.channels_last and batch[0].ndim == 4:
            return (batch[0].contiguous(memory_format=torch.channels_last), *batch[1:])
        return batch

    def batches(self, batch: Batch) -> list[Batch]:
        """Return copies for all batches of a step: one may be cut from a block that holds the whole data set."""
        return [self.placed(tuple(tensor.clone() for tensor in batch)) for _ in range(self.accumulated)]

    def steps(self, batches: Sequence[Batch]) -> Steps:
        """Return what makes steps on these batches, all of them in every step."""
        return Steps(self, batches)

    def forward_backward(self, batches: Sequence[Batch]) -> None:
        """Compute gradients of these batches, and nothing else."""
        precision = "fp32" if self.train is None else self.train.precision
        for batch in batches:
            *inputs, target = batch
            with autocast(precision, self.device):
                loss = self.loss(self.model(*inputs), target)
            loss.backward()

    def standing(self) -> dict[str, list[Tensor]]:
        """Return the tensors that are there before the first step, by cause."""
        modules = [self.model, *([self.loss] if isinstance(self.loss, nn.Module) else [])]
        return {
            "parameters": [p for module in modules for p in module.parameters()],
            "buffers": [b for module in modules for b in module.buffers()],
        }

    def gradients(self) -> list[Tensor]:
        """Return the gradients that are there now."""
        groups = [group["params"] for optimizer in self.optimizers for group in optimizer.param_groups]
        trained = [*self.standing()["parameters"], *(p for group in groups for p in group)]
        return [p.grad for p in trained if p.grad is not None]

    def state(self) -> list[Tensor]:
        """Return the tensors that the optimizers keep."""
        states = [state for optimizer in self.optimizers for state in optimizer.state.values()]
        return [value for state in states for value in _tensors(state)]

    def idle_state(self) -> list[Tensor]:
        """Return what the optimizers keep for parameters that have no gradient now."""
        states = [optimizer.state for optimizer in self.optimizers]
        return [one for state in states for key in state if _idle(key) for one in _tensors(state[key])]

    def warmed(self) -> bool:
        """Let the optimizers make what they keep, as their first step would; return whether they could."""
        if any(isinstance(optimizer, torch.optim.LBFGS) for optimizer in self.optimizers):
            return False
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
            optimizer.zero_grad()
        return True


def _idle(key: Any) -> bool:
    return isinstance(key, Tensor) and key.grad is None


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [tensor for one in inner for tensor in _tensors(one)]


class Steps:
    """Makes steps as training would, with gradients freed before each."""

    def __init__(self, work: Work, batches: Sequence[Batch]) -> None:
        self._work, self._batches = work, batches
        self._stepper: Stepper | None = None
        if work.train is not None:
            self._stepper = Stepper(work.model, work.loss, work.hooks, work.train, work.device)

    def once(self) -> None:
        """Make one step."""
        if self._stepper is not None:
            self._stepper.step(self._work.optimizers[0], self._batches, ())
            return
        for optimizer in self._work.optimizers:
            optimizer.zero_grad()
        for batch in self._batches:
            *inputs, target = batch
            self._work.loss(self._work.model(*inputs), target).backward()
        for optimizer in self._work.optimizers:
            optimizer.step()


def work_of(patient: Patient) -> Work:
    """Return a patient's step; of a factory's own ``train_step`` nothing is known, a plain step stands for it."""
    recipe = patient.recipe
    return Work(
        model=patient.model,
        loss=patient.loss,
        optimizers=patient.optimizers,
        device=patient.device,
        hooks=() if patient.parts is None else tuple(patient.parts.hooks),
        train=None if recipe is None else recipe.train,
        channels_last=recipe is not None and recipe.train.channels_last,
    )
