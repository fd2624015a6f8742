"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcheck.components.batches import Batch
from dlcheck.components.data import LoadedData
from dlcheck.components.losses import Loss
from dlcheck.components.metrics import Metric
from dlcheck.components.optimizers import build_optimizer
from dlcheck.components.regularizers import StepHook, WeightAverage
from dlcheck.components.schedules import build_schedule
from dlcheck.components.transfer import freeze_modes
from dlcheck.recipe import Recipe
from dlcheck.recipe.optimizer import OptimizerSection
from dlcheck.training.callbacks import Callback, Notifier
from dlcheck.training.evaluation import Evaluator
from dlcheck.training.ledger import Ledger
from dlcheck.training.state import TrainState
from dlcheck.training.step import Stepper, autocast

FLUSH_S = 0.25
"""Seconds between transfers of losses from the device: often enough to look live, too seldom to cost."""
NONFINITE_LIMIT = 20
"""Non-finite losses in succession after which weights are lost for good (a loss scaler recovers within a few)."""


@dataclass(slots=True)
class Parts:
    """A recipe, built: all that a training consists of."""

    recipe: Recipe
    folder: Path
    """Where the user's own code lies."""
    device: torch.device
    data: LoadedData
    model: nn.Module
    loss: Loss
    metric: Metric
    hooks: list[StepHook]
    average: WeightAverage | None
    lr_factors: dict[str, float]


class Trainer:
    """Trains ``parts.model``. All progress is in ``state``; everything else listens through callbacks."""

    def __init__(self, parts: Parts, callbacks: Iterable[Callback] = (), state: TrainState | None = None) -> None:
        self.parts, self.state = parts, state or TrainState()
        self.model, self.data, self.train = parts.model, parts.data, parts.recipe.train
        self.notify = Notifier(list(callbacks))
        self.stop: str | None = None
        """Why training ends before its last epoch; any callback may set it."""
        self.ledger = Ledger(self.state, parts.metric)
        self.choose_optimizer()
        runnable: Any = torch.compile(self.model) if self.train.compile else self.model
        self.stepper = Stepper(runnable, parts.loss, parts.hooks, self.train, parts.device)
        precision = autocast(self.train.precision, parts.device)
        self.evaluator = Evaluator(runnable, parts.loss, parts.metric, self.place, precision, parts.data.eval_crops)
        self._clock = self._flushed = time.perf_counter()

    def fit(self) -> None:
        """Train from where ``state`` stands to the end, or to the first reason to stop."""
        self._tick()
        self.notify("on_train_begin", self)
        try:
            while self.state.epoch < self.train.epochs and not self.stop:
                self._run_epoch()
        finally:
            self.flush()
            self.notify("on_train_end", self)

    def _run_epoch(self) -> None:
        if self.state.epoch and self._section() is not self.section:
            self.choose_optimizer()
        self.model.train()
        freeze_modes(self.model)
        self.notify("on_epoch_begin", self)
        self.state.wall_s += self._tick()
        on_gradients = [lambda hook=hook: hook(self) for hook in self.notify.hooks("on_gradients")]
        on_step_end = self.notify.hooks("on_step_end")
        for batches in self._steps():
            loss = self.stepper.step(self.optimizer, batches, on_gradients)
            self._count(loss, batches)
            self.schedule.after_step()
            if self.parts.average is not None:
                self.parts.average.update(self.state.step)
            for hook in on_step_end:
                hook(self)
            if self.stop:
                break
        self.flush()
        if self.stop in (None, "max_steps"):
            self._end_epoch()

    def _steps(self) -> Iterator[list[Batch]]:
        """Yield the batches of each optimizer step that is left of this epoch, on the device and augmented."""
        waiting: list[Batch] = []
        for batch in self._timed(self.data.train.epoch(self.state.epoch, self.state.batch)):
            batch = self.place(batch)
            if self.data.augment is not None:
                batch = (self.data.augment(batch[0]), *batch[1:])
            waiting.append(batch)
            if len(waiting) == self.train.accumulate:
                yield waiting
                waiting = []
        if waiting:
            yield waiting

    def _timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield batches, and tell who listens how long each was waited for."""
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                return
            if self.stepper.listener is not None:
                self.stepper.listener.batch(batch, time.perf_counter() - began)
            yield batch

    def place(self, batch: Batch) -> Batch:
        """Move a batch to the device, images in the recipe's memory format."""
        device = self.parts.device
        if device.type != "cpu":
            batch = tuple(tensor.to(device, non_blocking=True) for tensor in batch)
        if self.train.channels_last and batch[0].ndim == 4:
            batch = (batch[0].contiguous(memory_format=torch.channels_last), *batch[1:])
        return batch

    def _count(self, loss: torch.Tensor, batches: list[Batch]) -> None:
        state, samples = self.state, sum(len(batch[-1]) for batch in batches)
        state.batch += len(batches)
        state.step += 1
        state.samples += samples
        self.ledger.add(loss, self.stepper.predicted, self.stepper.grad_norm, self.lr, samples)
        if state.step == self.train.max_steps:
            self.stop = "max_steps"
        if time.perf_counter() - self._flushed > FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Read the losses of the last steps from the device, and tell who listens."""
        rows = self.ledger.read()
        elapsed = self._tick()
        self._flushed = self._clock
        if not rows:
            return
        self.state.train_s += elapsed
        self.state.wall_s += elapsed
        self.notify("on_losses", self, rows)
        if self.state.nonfinite_streak >= NONFINITE_LIMIT:
            self.stop = self.stop or "non-finite loss"

    def _end_epoch(self) -> None:
        state = self.state
        row = {"epoch": float(state.epoch + 1), "step": float(state.step), "lr": self.lr} | self.ledger.running()
        with self.averaged():
            row |= self.evaluator.measure(self.data.train_eval, "train_eval")
            if self.data.val is not None:
                row |= self.evaluator.measure(self.data.val, "val")
        value = self._monitored(row)
        self.schedule.after_epoch(value)
        state.wall_s += self._tick()
        row["wall_s"] = state.wall_s
        state.history.append(row)
        self._judge(value)
        state.epoch += 1
        state.begin_epoch()
        self.notify("on_epoch_end", self, row)

    def _monitored(self, row: dict[str, float]) -> float | None:
        """Return what early stopping and the plateau schedule look at; smaller is better."""
        metric = self.parts.metric
        if self.train.monitor == "val_loss":
            return row.get("val_loss")
        value = row.get(f"val_{metric.name}")
        return -value if value is not None and metric.greater_is_better else value

    def _judge(self, value: float | None) -> None:
        """Remember the best epoch, and stop when it lies ``patience`` epochs back."""
        state, patience = self.state, self.train.patience
        value = math.inf if value is None or math.isnan(value) else value
        if value < (math.inf if state.best is None else state.best - self.train.min_delta):
            state.best, state.best_epoch = value, state.epoch + 1
        if patience is not None and state.epoch + 1 - (state.best_epoch or 0) >= patience:
            self.stop = self.stop or "patience"

    def averaged(self) -> AbstractContextManager[Any]:
        """Return the context in which the model carries its averaged weights, if the recipe averages any."""
        return nullcontext() if self.parts.average is None else self.parts.average.applied()

    @property
    def lr(self) -> float:
        """Learning rate of the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in an epoch."""
        return math.ceil(len(self.data.train) / self.train.accumulate)

    @property
    def total_steps(self) -> int:
        """Optimizer steps in the whole training, early stopping left aside."""
        planned = self.steps_per_epoch * self.train.epochs
        return min(planned, self.train.max_steps or planned)

    def _section(self) -> OptimizerSection:
        """Return the recipe's optimizer for the current epoch, switches followed."""
        section: OptimizerSection = self.parts.recipe.optimizer
        while section.switch is not None and self.state.epoch >= section.switch.epoch:
            section = section.switch.to
        return section

    def choose_optimizer(self) -> None:
        """Make the optimizer that the recipe has for the current epoch; its schedule spans the steps left."""
        self.section = self._section()
        self.optimizer = build_optimizer(
            self.section, self.model, folder=self.parts.folder, lr_factors=self.parts.lr_factors
        )
        schedule, started = self.parts.recipe.schedule, 0
        if self.section is not self.parts.recipe.optimizer:  # the warm-up was for untrained weights
            schedule, started = schedule.model_copy(update={"warmup": 0.0}), self.state.epoch * self.steps_per_epoch
        self.schedule = build_schedule(
            schedule,
            self.optimizer,
            steps_per_epoch=self.steps_per_epoch,
            total_steps=max(self.total_steps - started, 1),
            folder=self.parts.folder,
        )

    def _tick(self) -> float:
        """Return the seconds since the last call."""
        before, self._clock = self._clock, time.perf_counter()
        return self._clock - before
