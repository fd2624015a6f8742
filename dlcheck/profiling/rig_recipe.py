"""A recipe's training under a meter: the same parts and steps as ``dlcheck train`` has, without its reports."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter, thread_time
from typing import Any

import torch
from torch import Tensor

from dlcheck.components.batches import Batch
from dlcheck.components.data.loader_batches import LoaderBatches
from dlcheck.components.transfer import freeze_modes
from dlcheck.errors import DlcheckError
from dlcheck.profiling.found import Found
from dlcheck.profiling.look import found_recipe
from dlcheck.profiling.meter import BACKWARD, COPY, FORWARD, OPTIMIZER, Meter
from dlcheck.profiling.overriding import recipe_changes
from dlcheck.profiling.rows import BatchRow
from dlcheck.profiling.settings import TrialSettings
from dlcheck.profiling.stamps import LoaderProbe
from dlcheck.recipe import load_recipe
from dlcheck.recipe.resolve import resolve
from dlcheck.training.assemble import assemble
from dlcheck.training.device import choose_device
from dlcheck.training.step import Stepper
from dlcheck.training.trainer import Trainer

SOURCE = 0
"""The one loader that there is."""


class RecipeRig:
    """Builds what a recipe names, and trains on its batches, on a few of them over and over, or only loads them."""

    def __init__(self, settings: TrialSettings) -> None:
        subject = settings.subject
        loaded = load_recipe(subject.name, [*subject.overrides, *recipe_changes(settings)])
        device = choose_device(subject.device)
        self.settings = settings
        self.parts = assemble(resolve(loaded), folder=loaded.folder, device=device)
        self.trainer = Trainer(self.parts)
        self.augment = self.parts.data.augment
        self.early = device.type == "cpu"
        """Batches are augmented before the step, by the processor that loads them."""
        self.probe = LoaderProbe()
        if isinstance(self.parts.data.train, LoaderBatches):
            self.parts.data.train.watch(self.probe)
        self.batch_bytes: int | None = None
        self.pinned: bool | None = None
        self.pids: set[int] = set()

    def look(self) -> Found:
        """Return what is known of the training so far."""
        return found_recipe(self)

    def train(self, meter: Meter) -> str:
        """Train epoch after epoch, beyond the recipe's last one too, until the meter's rest raises."""
        stepper = _TimedStepper(self.trainer, meter)
        meter.untrained = self.settings.mode == "loader"
        kept = self._keep() if self.settings.mode in ("ideal", "copied") else None
        meter.active = True
        epoch = 0
        while True:
            self.trainer.model.train()
            freeze_modes(self.trainer.model)
            batches = self._batches(epoch, meter) if kept is None else self._again(kept, meter)
            if meter.untrained:
                for _ in batches:
                    pass
            else:
                self._epoch(batches, stepper, meter)
            epoch += 1

    def _epoch(self, batches: Iterator[Batch], stepper: _TimedStepper, meter: Meter) -> None:
        accumulate, waiting = self.trainer.train.accumulate, []
        for batch in batches:
            waiting.append(batch)
            if len(waiting) == accumulate:
                self._step(waiting, stepper, meter)
                waiting = []
        if waiting:
            self._step(waiting, stepper, meter)

    def _step(self, batches: list[Batch], stepper: _TimedStepper, meter: Meter) -> None:
        trainer = self.trainer
        meter.lost(stepper.step(trainer.optimizer, batches, ()))
        trainer.state.step += 1
        if trainer.state.step < trainer.total_steps:
            trainer.schedule.after_step()
        if self.parts.average is not None:
            self.parts.average.update(trainer.state.step)

    def _batches(self, epoch: int, meter: Meter) -> Iterator[Batch]:
        """Yield an epoch's batches as training takes them, and tell the meter of each."""
        meter.begin_epoch(SOURCE)
        loader = iter(self.parts.data.train.epoch(epoch))
        while True:
            meter.ask(SOURCE)
            batch, row = self._drawn(loader)
            if batch is None:
                meter.exhausted(SOURCE)
                return
            meter.got(len(batch[-1]), row)
            yield batch if meter.untrained else self._placed(batch, meter)

    def _drawn(self, loader: Iterator[Batch]) -> tuple[Batch | None, BatchRow | None]:
        """Return the next batch and the times of its making."""
        began, cpu = perf_counter(), thread_time()
        batch = next(loader, None)
        if batch is None:
            return None, None
        fetched, row = perf_counter(), self.probe.taken()
        if row is None:
            row = BatchRow(os.getpid(), began, fetched, fetched, fetch_cpu=thread_time() - cpu)
        self.pids.add(row.pid)
        if self.batch_bytes is None:
            self._look_at(batch)
        if not self.early:
            return batch, row
        batch = self.trainer.place(batch)
        if self.augment is not None:
            batch = (self.augment(batch[0]), *batch[1:])
            ready = perf_counter()
            own = row.pid == os.getpid()
            row = replace(row, augment=row.augment + ready - fetched, ready=ready if own else row.ready)
        return batch, row

    def _placed(self, batch: Batch, meter: Meter) -> Batch:
        if self.early:
            return batch
        meter.begin(COPY)
        batch = self.trainer.place(batch)
        meter.end(COPY)
        return batch if self.augment is None else (self.augment(batch[0]), *batch[1:])

    def _look_at(self, batch: Batch) -> None:
        self.batch_bytes = sum(tensor.nbytes for tensor in batch)
        if not self.early and batch[0].device.type == "cpu":
            self.pinned = batch[0].is_pinned()

    def _keep(self) -> list[Batch]:
        """Return a few batches: in the host's memory, or on the device."""
        loader = iter(self.parts.data.train.epoch(0))
        kept = [batch for batch, _ in (self._drawn(loader) for _ in range(self.settings.kept)) if batch is not None]
        if not kept:
            raise DlcheckError("the training data has no batches")
        if self.settings.mode == "ideal" and not self.early:
            kept = [self.trainer.place(batch) for batch in kept]
            torch.cuda.synchronize()
        return kept

    def _again(self, kept: list[Batch], meter: Meter) -> Iterator[Batch]:
        """Yield the same batches over and over."""
        meter.begin_epoch(SOURCE)
        for batch in itertools.cycle(kept):
            meter.ask(SOURCE)
            meter.got(len(batch[-1]))
            if self.settings.mode == "copied":
                yield self._placed(batch, meter)
            elif self.early or self.augment is None:
                yield batch
            else:
                yield (self.augment(batch[0]), *batch[1:])


class _TimedStepper(Stepper):
    """A ``Stepper`` that tells a meter of its phases."""

    def __init__(self, trainer: Trainer, meter: Meter) -> None:
        plain = trainer.stepper
        super().__init__(plain.model, plain.loss, plain.hooks, plain.train, trainer.parts.device)
        self._meter = meter
        self.listener = _Backward(meter)
        trainer.optimizer.register_step_pre_hook(lambda *_: meter.begin(OPTIMIZER))
        trainer.optimizer.register_step_post_hook(lambda *_: meter.end(OPTIMIZER))

    def _forward(self, batch: Batch, share: float) -> tuple[Tensor, Tensor]:
        self._meter.begin(FORWARD)
        try:
            return super()._forward(batch, share)
        finally:
            self._meter.end(FORWARD)


class _Backward:
    """Hears where the backward pass begins and ends."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def batch(self, batch: object, wait_s: float | None = None) -> None:
        """Nothing to hear."""

    def loss(self, loss: Tensor, *, again: Any = None) -> None:
        """The backward pass begins."""
        self._meter.begin(BACKWARD)

    def backward_ended(self) -> None:
        """It is over."""
        self._meter.end(BACKWARD)

    def clipped(self, norm: Tensor | float, limit: float) -> None:
        """Nothing to hear."""
