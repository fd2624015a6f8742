"""Loss and metric of a model over a split, in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.components.batches import Batch, Batches
from dlcheck.components.losses import Loss
from dlcheck.components.metrics import Metric
from dlcheck.training.ranks import ALONE, Ranks
from dlcheck.training.sharding import is_sharded


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
    ranks: Ranks = ALONE
    """The processes that each measure their rows of every batch."""

    def measure(self, batches: Batches, prefix: str) -> dict[str, float]:
        """Return ``{prefix}_loss`` and ``{prefix}_{metric}``, means over all samples; one transfer at the end.

        Every sample counts once, whichever process measures it.

        The model is in training mode again afterwards if it was before.
        """
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.inference_mode():
                rows = list(self._scores(batches))
                sums = torch.stack(rows).sum(0) if rows else self._nothing()
                loss_sum, samples, metric_sum, count = self.ranks.sum(sums).tolist()
        finally:
            self.model.train(was_training)
        return {
            f"{prefix}_loss": loss_sum / samples,
            f"{prefix}_{self.metric.name}": metric_sum / count if count else float("nan"),
        }

    def _scores(self, batches: Batches) -> Iterator[Tensor]:
        """Yield the score of each batch of which this process has a row that counts."""
        for number, batch in enumerate(batches.epoch(0)):
            counts = self.ranks.size == 1 or self.ranks.rows(batches, number)[0] > 0
            if counts or is_sharded(self.model):  # whose weights all processes gather together
                score = self._score(self.place(batch))
                if counts:
                    yield score

    def _nothing(self) -> Tensor:
        device = next(self.model.parameters()).device
        return torch.zeros(4, dtype=torch.float64, device=device)

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
