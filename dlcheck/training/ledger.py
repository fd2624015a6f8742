"""What each step left behind, kept on the device until it is read in one transfer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcheck.components.metrics import Metric
from dlcheck.training.ranks import ALONE, Ranks
from dlcheck.training.state import TrainState

MOST_HELD = 4_000_000
"""Output numbers held until the metric is computed on all of them at once, which costs a tenth of doing it stepwise."""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One row of ``steps.csv``."""

    step: int
    epoch: int
    loss: float
    lr: float
    grad_norm: float | None
    """Before clipping; None where nothing measured it."""


class Ledger:
    """Collects losses and scores of steps without waiting for the device, and adds them up when read."""

    def __init__(self, state: TrainState, metric: Metric, ranks: Ranks = ALONE) -> None:
        self.state, self.metric, self.ranks = state, metric, ranks
        self._steps: list[tuple[int, int, float, int]] = []
        self._losses: list[Tensor] = []
        self._norms: list[Tensor] = []
        self._predicted: list[tuple[Tensor, Tensor]] = []
        self._held = 0
        self._scores: list[Tensor] = []

    def add(
        self,
        loss: Tensor,
        predicted: list[tuple[Tensor, Tensor]],
        grad_norm: Tensor | None,
        lr: float,
        samples: int,
    ) -> None:
        """Note a step that has just been made; ``predicted`` holds outputs and targets of its batches."""
        self._steps.append((self.state.step, self.state.epoch + 1, lr, samples))
        self._losses.append(loss)
        self._predicted += predicted
        self._held += sum(output.numel() for output, _ in predicted)
        if self._held > MOST_HELD:
            self._score()
        if grad_norm is not None:
            self._norms.append(grad_norm)

    def read(self) -> list[StepRow]:
        """Return the rows of the steps since the last call, and add them to the epoch's sums."""
        if not self._steps:
            return []
        steps, averaged = self._steps, self.ranks.mean(torch.stack(self._losses))
        losses = averaged.tolist()
        norms = torch.stack(self._norms).tolist() if len(self._norms) == len(steps) else [None] * len(steps)
        self._score()
        scores = torch.stack(self._scores).sum(0) if self._scores else averaged.new_zeros(2)
        self._add_score(self.ranks.sum(scores).tolist())
        self._steps, self._losses, self._norms, self._scores = [], [], [], []
        rows = []
        for (step, epoch, lr, samples), loss, norm in zip(steps, losses, norms, strict=True):
            self._add_loss(loss, samples)
            rows.append(StepRow(step, epoch, loss, lr, norm))
        return rows

    def _score(self) -> None:
        """Compute the metric of what is held, on the device."""
        if self._predicted:
            shapes = {(output.shape[1:], target.shape[1:]) for output, target in self._predicted}
            if len(shapes) == 1:
                outputs, targets = zip(*self._predicted, strict=True)
                self._scores.append(self.metric.update(torch.cat(outputs), torch.cat(targets)))
            else:  # sequences of different lengths
                self._scores += [self.metric.update(output, target) for output, target in self._predicted]
        self._predicted, self._held = [], 0

    def _add_loss(self, loss: float, samples: int) -> None:
        state = self.state
        state.loss_sum += loss * samples
        state.epoch_samples += samples
        state.nonfinite_streak = 0 if math.isfinite(loss) else state.nonfinite_streak + 1

    def _add_score(self, score: list[float]) -> None:
        self.state.metric_sum += score[0]
        self.state.metric_count += score[1]

    def running(self) -> dict[str, float]:
        """Return this epoch's metrics so far, measured in training mode while the weights move."""
        state = self.state
        if not state.epoch_samples:
            return {}
        row = {"train_loss": state.loss_sum / state.epoch_samples}
        if state.metric_count:
            row[f"train_{self.metric.name}"] = state.metric_sum / state.metric_count
        if state.train_s:
            row["samples_per_s"] = state.epoch_samples / state.train_s
        return row
