"""What is examined: data, model, loss and optimizer as a training would have them."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.components.batches import Batch, Batches
from dlcheck.components.info import DataInfo
from dlcheck.components.transfer import freeze_modes
from dlcheck.recipe import Recipe
from dlcheck.training.trainer import Parts

LossFunction = Callable[[Any, Tensor], Tensor]
"""Takes a model's output and the target, and returns one number."""


@dataclass(slots=True)
class Patient:
    """What is examined. Exams use it inside ``untouched``, which puts everything back afterwards."""

    name: str
    model: nn.Module
    loss: LossFunction
    optimizers: tuple[torch.optim.Optimizer, ...]
    train: Batches
    """As training has them, but for augmentation of whole batches (``augmented``)."""
    val: Batches | None = None
    test: Batches | None = None
    info: DataInfo | None = None
    """What a recipe's data says of itself; None for a factory."""
    parts: Parts | None = None
    """A recipe, built; None for a factory."""
    recipe: Recipe | None = None
    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    deadline: float = math.inf
    """When the exam under way should end, on the clock of ``time.monotonic``."""
    train_step: Callable[[Batch], object] | None = None
    """A factory's own training step."""
    evaluate: Callable[[], object] | None = None
    """A factory's own evaluation."""

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The first optimizer, which mostly is the only one."""
        return self.optimizers[0]

    @property
    def pretrained(self) -> bool:
        """Whether the recipe loads weights rather than draws them."""
        section = None if self.recipe is None else self.recipe.model
        return bool(getattr(section, "weights", None) or getattr(section, "pretrained", False))

    @property
    def left_s(self) -> float:
        """Seconds that the exam under way has left; negative when it should have ended."""
        return self.deadline - time.monotonic()

    def place(self, batch: Batch) -> Batch:
        """Move a batch to the device."""
        return tuple(tensor.to(self.device) for tensor in batch)

    def batches(self, most: int | None = None) -> Iterator[Batch]:
        """Yield the first training batches of the first epoch, on the device, without augmentation of batches.

        A last batch of one sample is left out where others are larger.
        """
        first: Batch | None = None
        for batch in itertools.islice(self.train.epoch(0), most):
            # A last batch of one sample, which batch normalisation refuses, is M210's and no other exam's.
            if first is None or len(batch[-1]) > 1 or len(first[-1]) == 1:
                yield self.place(batch)
            first = batch if first is None else first

    def augmented(self, most: int | None = None) -> Iterator[Batch]:
        """Yield the first training batches as the network will see them."""
        augment = None if self.parts is None else self.parts.data.augment
        for batch in self.batches(most):
            yield batch if augment is None else (augment(batch[0]), *batch[1:])

    def samples(self, count: int) -> Batch:
        """Return up to ``count`` training samples as one batch on the device, not augmented where that is known.

        Batches whose samples have another shape than the first's (padded to another length) are left out.
        """
        source = self.train if self.parts is None else self.parts.data.train_eval
        if source.samples < count and self.train.samples > source.samples:
            source = self.train
        return self.place(joined(source.epoch(0), count))

    def training_mode(self) -> None:
        """Put the model into the mode in which it trains; what a recipe freezes keeps its statistics."""
        self.model.train()
        if self.parts is not None:
            freeze_modes(self.model)

    def predict(self, inputs: tuple[Tensor, ...]) -> Any:
        """Return the model's output, of whatever kind."""
        return self.model(*inputs)

    def loss_of(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, one number with its graph."""
        *inputs, target = batch
        return self.loss(self.predict(tuple(inputs)), target)


def joined(batches: Iterator[Batch], count: int) -> Batch:
    """Return the first ``count`` samples of batches as one; batches of another shape than the first are left out."""
    kept: list[Batch] = []
    found = 0
    for batch in batches:
        if kept and [x.shape[1:] for x in batch] != [x.shape[1:] for x in kept[0]]:
            continue
        kept.append(batch)
        found += len(batch[-1])
        if found >= count:
            break
    return tuple(torch.cat(tensors)[:count] for tensors in zip(*kept, strict=True))


def answer(output: Any) -> Tensor | None:
    """Return the tensor that a model's output consists of, or its first floating-point one; None without any."""
    if isinstance(output, Tensor):
        return output
    logits = getattr(output, "logits", None)
    if isinstance(logits, Tensor):
        return logits
    items = output.values() if isinstance(output, dict) else output if isinstance(output, tuple | list) else ()
    return next((item for item in items if isinstance(item, Tensor) and item.is_floating_point()), None)
