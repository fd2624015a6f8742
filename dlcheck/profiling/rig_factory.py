"""What a factory of the user's own returns, trained under a meter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from dlcheck.checks.admit import admit_factory
from dlcheck.checks.patient import Patient
from dlcheck.components.batches import Batch
from dlcheck.profiling.feed import Feed
from dlcheck.profiling.found import Found
from dlcheck.profiling.loader_hooks import LoaderHooks, release
from dlcheck.profiling.look import found_loader
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.overriding import refuse_for_factory
from dlcheck.profiling.settings import TrialSettings
from dlcheck.profiling.step_hooks import StepHooks
from dlcheck.training.step import autocast


class FactoryRig:
    """Trains a factory's model by its own step, where it has one, or by the usual one."""

    def __init__(self, settings: TrialSettings, hooks: LoaderHooks) -> None:
        refuse_for_factory(settings)
        subject = settings.subject
        self.settings, self.hooks = settings, hooks
        hooks.passive = True
        hooks.install()
        self.patient = admit_factory(subject.name, folder=Path.cwd(), seed=subject.seed or 0, device=subject.device)
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        if settings.tf32 is not None:
            torch.backends.cuda.matmul.allow_tf32 = settings.tf32
        if settings.channels_last:
            self.patient.model.to(memory_format=torch.channels_last)
        self.loader = getattr(self.patient.train, "loader", None)
        self.feed = Feed(
            epoch=self._epoch,
            place=self._place,
            taken=hooks.taken,
            host=self.patient.device.type == "cpu",
            mode=settings.mode,
            kept=settings.kept,
            release=lambda: release(self.loader) if isinstance(self.loader, DataLoader) else None,
        )

    def look(self) -> Found:
        """Return what is known of the training so far."""
        patient, feed = self.patient, self.feed
        facts = self.hooks.facts(self.loader) if isinstance(self.loader, DataLoader) else None
        found = Found(kind="opaque", dataset=type(self.loader).__name__) if facts is None else found_loader(facts)
        return replace(
            found,
            device=str(patient.device),
            optimizer=type(patient.optimizer).__name__,
            batch_bytes=feed.batch_bytes,
            batch_pinned=feed.pinned,
            threads=torch.get_num_threads(),
            main_pid=os.getpid(),
            precision=self.settings.precision or ("" if patient.train_step is not None else "fp32"),
        )

    def train(self, meter: Meter) -> str:
        """Train epoch after epoch until the meter's rest raises."""
        hooks = StepHooks(meter)
        hooks.install()
        step = self._step(meter)
        for batches in self.feed.epochs(meter):
            self.patient.training_mode()
            for batch in batches:
                if not meter.untrained:
                    step(batch)
        return "finished"

    def _epoch(self, epoch: int) -> Iterator[Batch]:
        return self.patient.train.epoch(epoch)

    def _place(self, batch: Batch) -> Batch:
        batch = batch if self.patient.device.type == "cpu" else self._moved(batch)
        if self.settings.channels_last and batch[0].ndim == 4:
            batch = (batch[0].contiguous(memory_format=torch.channels_last), *batch[1:])
        return batch

    def _moved(self, batch: Batch) -> Batch:
        return tuple(tensor.to(self.patient.device, non_blocking=True) for tensor in batch)

    def _step(self, meter: Meter) -> Callable[[Batch], object]:
        if self.patient.train_step is not None:
            return self.patient.train_step
        return _UsualStep(self.patient, self.settings, meter)


class _UsualStep:
    """Clears gradients, computes them anew, and lets every optimizer step."""

    def __init__(self, patient: Patient, settings: TrialSettings, meter: Meter) -> None:
        precision = settings.precision or "fp32"
        self._patient, self._meter = patient, meter
        self._model: Any = torch.compile(patient.model) if settings.compile else patient.model
        self._autocast = autocast(precision, patient.device)
        self._scaler = torch.amp.GradScaler(patient.device.type, enabled=precision == "fp16")

    def __call__(self, batch: Batch) -> None:
        """Make a step."""
        *inputs, target = batch
        for optimizer in self._patient.optimizers:
            optimizer.zero_grad()
        with self._autocast:
            loss = self._patient.loss(self._model(*inputs), target)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        for optimizer in self._patient.optimizers:
            self._scaler.step(optimizer)
        self._scaler.update()
        self._meter.lost(loss.detach())
