"""The training loop."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from dlcheck.components.batches import Batch
from dlcheck.components.data import LoadedData
from dlcheck.components.losses import Loss
from dlcheck.components.metrics import Metric
from dlcheck.components.optimizers import build_optimizer
from dlcheck.components.regularizers import StepHook, WeightAverage
from dlcheck.components.schedules import build_schedule
from dlcheck.components.transfer import freeze_modes
from dlcheck.recipe import Recipe
from dlcheck.recipe.code import uses_own_code
from dlcheck.recipe.optimizer import OptimizerSection
from dlcheck.training.callbacks import Callback, Notifier
from dlcheck.training.evaluation import Evaluator
from dlcheck.training.ledger import Ledger
from dlcheck.training.ranks import ALONE, Ranks
from dlcheck.training.sharding import is_sharded
from dlcheck.training.state import TrainState
from dlcheck.training.step import Stepper, autocast

AGREE_EVERY = 4
"""Steps between two questions of several processes whether to stop, to save or to read: each costs a message."""
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
    unsharded: nn.Module | None = None
    """What the leading process of sharded training measures at the end, once it holds the weights of all."""


class Trainer:
    """Trains ``parts.model``. All progress is in ``state``; everything else listens through callbacks."""

    def __init__(
        self,
        parts: Parts,
        callbacks: Iterable[Callback] = (),
        state: TrainState | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.parts, self.state, self.ranks = parts, state or TrainState(), ranks
        self.model, self.data, self.train = parts.model, parts.data, parts.recipe.train
        self.notify = Notifier(list(callbacks))
        self.stop: str | None = None
        """Why training ends before its last epoch; any callback may set it, of several processes all at once."""
        self.wishes_stop = self.wishes_save = False
        """What this process of several wants; all do it together, a few steps later."""
        self.ledger = Ledger(self.state, parts.metric, ranks)
        self.choose_optimizer()
        runnable: Any = torch.compile(self.model) if self.train.compile else self.model
        self.stepper = Stepper(self._wrapped(runnable), parts.loss, parts.hooks, self.train, parts.device)
        precision = autocast(self.train.precision, parts.device)
        self.evaluator = Evaluator(
            runnable, parts.loss, parts.metric, self.place, precision, parts.data.eval_crops, ranks
        )
        self._clock = self._flushed = time.perf_counter()

    def _wrapped(self, model: Any) -> Any:
        """Return the model as it trains: with gradients averaged over the processes where there are several."""
        if self.ranks.size == 1 or is_sharded(self.model):
            return model
        cuda = self.parts.device.type == "cuda"
        return DistributedDataParallel(
            model,
            device_ids=[self.parts.device.index] if cuda else None,
            find_unused_parameters=uses_own_code(self.parts.recipe),  # ours have none, and looking takes time
        )

    def fit(self) -> None:
        """Train from where ``state`` stands to the end, or to the first reason to stop."""
        self._tick()
        self.notify("on_train_begin", self)
        try:
            while self.state.epoch < self.train.epochs and not self.stop:
                self._run_epoch()
        finally:
            try:
                if self.ranks.size == 1 or sys.exc_info()[0] is None:  # nobody answers one that has failed
                    self.flush()
            finally:  # a full disk must not keep anybody from letting go
                self.notify.every("on_train_end", self)

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
            shares, samples = self._shares(batches)
            loss = self.stepper.step(self.optimizer, batches, on_gradients, shares)
            self._count(loss, len(batches), samples)
            self.schedule.after_step()
            if self.parts.average is not None:
                self.parts.average.update(self.state.step)
            for hook in on_step_end:
                hook(self)
            if self.ranks.size > 1 and self.state.step % AGREE_EVERY == 0:
                self._agree()
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

    def _shares(self, batches: list[Batch]) -> tuple[list[float] | None, int]:
        """Return what each batch of a step counts for, and the samples of all processes in it.

        Gradients are averaged over processes: each loss is multiplied by their number and by the share of the step's
        samples that it is the mean of, so that the average is the gradient of the one batch they make up.
        """
        if self.ranks.size == 1:
            return None, sum(len(batch[-1]) for batch in batches)
        rows = [self.ranks.rows(self.data.train, self.state.batch + place) for place in range(len(batches))]
        whole = sum(every for _, every in rows)
        return [self.ranks.size * own / whole for own, _ in rows], whole

    def _agree(self) -> None:
        """Let all processes stop, save or read their losses at the same step."""
        due = time.perf_counter() - self._flushed > FLUSH_S
        wishes = (self.wishes_stop, self.ranks.leads and self.wishes_save, self.ranks.leads and due)
        stop, save, read = self.ranks.any(wishes)
        if read or save or stop:
            self.flush()
        if stop:
            self.stop = self.stop or "interrupted"
        elif save:
            self.wishes_save = False
            self.notify("on_checkpoint", self)

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

    def _count(self, loss: torch.Tensor, batches: int, samples: int) -> None:
        state = self.state
        state.batch += batches
        state.step += 1
        state.samples += samples
        self.ledger.add(loss, self.stepper.predicted, self.stepper.grad_norm, self.lr, samples)
        if state.step == self.train.max_steps:
            self.stop = "max_steps"
        if self.ranks.size == 1 and time.perf_counter() - self._flushed > FLUSH_S:
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
        self.ranks.spread(self.model)
        row = {"epoch": float(state.epoch + 1), "step": float(state.step), "lr": self.lr} | self.ledger.running()
        with self.averaged():
            row |= self.evaluator.measure(self.data.train_eval, "train_eval")
            if self.data.val is not None:
                row |= self.evaluator.measure(self.data.val, "val")
        value = self._monitored(row)
        self.schedule.after_epoch(value)
        state.wall_s += self._tick()
        row["wall_s"] = state.wall_s
        state.remember(row)
        self._judge(value)
        if state.best_epoch == state.epoch + 1:
            state.best_row = row
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
