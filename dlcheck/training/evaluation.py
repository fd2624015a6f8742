"""Loss and metric of a model over a split, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.components.batches import Batch, Batches
from dlcheck.components.losses import Loss
from dlcheck.components.metrics import Metric


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Everything that measuring a split needs beside the split."""

    model: nn.Module
    loss: Loss
    metric: Metric
    place: Callable[[Batch], Batch]
    """Moves a batch to the device."""
    autocast: AbstractContextManager[Any]
    crops: Callable[[Tensor], list[Tensor]] | None = None
    """Views of a batch of images whose predicted probabilities are averaged."""

    def measure(self, batches: Batches, prefix: str) -> dict[str, float]:
        """Return ``{prefix}_loss`` and ``{prefix}_{metric}``, means over all samples; one transfer at the end.

        The model is in training mode again afterwards if it was before.
        """
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                rows = [self._score(self.place(batch)) for batch in batches.epoch(0)]
                loss_sum, samples, metric_sum, count = torch.stack(rows).sum(0).tolist()
        finally:
            self.model.train(was_training)
        return {
            f"{prefix}_loss": loss_sum / samples,
            f"{prefix}_{self.metric.name}": metric_sum / count if count else float("nan"),
        }

    def _score(self, batch: Batch) -> Tensor:
        *inputs, target = batch
        with self.autocast:
            output = self._predict(inputs)
            loss = self.loss(output, target)
        samples = float(len(target))
        scored = self.metric.update(output, target)
        # Double precision: a mean over millions of samples must not depend on how they were batched.
        head = torch.stack([loss.double() * samples, loss.new_tensor(samples, dtype=torch.float64)])
        return torch.cat([head, scored.double()])

    def _predict(self, inputs: list[Tensor]) -> Tensor:
        if self.crops is None:
            output: Tensor = self.model(*inputs)
            return output
        views = [self.model(view, *inputs[1:]) for view in self.crops(inputs[0])]
        probabilities = torch.stack([view.float().softmax(-1) for view in views]).mean(0)
        # Logarithms of probabilities are logits that give the same probabilities back.
        return probabilities.clamp_min(torch.finfo(torch.float32).tiny).log()
