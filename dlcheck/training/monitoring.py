"""Drives the monitor through a training, and writes what it measures into the run folder."""

from __future__ import annotations

import torch

from dlcheck.monitor.monitor import Monitor
from dlcheck.monitor.record import Record
from dlcheck.monitor.replicas import ReplicaCheck
from dlcheck.runs import RunFolder
from dlcheck.training.callbacks import Callback
from dlcheck.training.ledger import StepRow
from dlcheck.training.trainer import Trainer


class Monitoring(Callback):
    """Tells a monitor what happens, and keeps its rows and facts; loss and rate of each step are the recorder's."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.record: Record | None = None
        self.monitor: Monitor | None = None
        self._optimizer: torch.optim.Optimizer | None = None

    def on_train_begin(self, trainer: Trainer) -> None:
        """Attach to the model; rows after the checkpoint that a resume starts from are dropped, they come again."""
        self.record = Record(self.folder)
        self.record.truncate_after(trainer.state.step)
        self.monitor = Monitor(self.record, every_step=False, start=trainer.state.step)
        self.monitor.add_model(trainer.stepper.model)
        if trainer.stepper.scaler.is_enabled():
            self.monitor.add_scaler(trainer.stepper.scaler)
        trainer.stepper.listener = self.monitor

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Follow a recipe that switches its optimizer."""
        if self.monitor is None:
            return
        self.monitor.epoch(trainer.state.epoch + 1)
        if trainer.optimizer is not self._optimizer:
            self.monitor.add_optimizer(trainer.optimizer, instead_of=self._optimizer)
            self._optimizer = trainer.optimizer

    def on_losses(self, trainer: Trainer, rows: list[StepRow]) -> None:
        """Write what has come since."""
        if self.record is not None:
            self.record.flush()

    def on_train_end(self, trainer: Trainer) -> None:
        """Detach, and write the facts."""
        trainer.stepper.listener = None
        if self.monitor is not None and self.record is not None:
            self.monitor.close()
            self.record.flush()


class Checksums(Callback):
    """Leaves checksums of the weights for the leading process to compare: all that the others monitor."""

    def __init__(self) -> None:
        self._check = ReplicaCheck()

    def on_train_begin(self, trainer: Trainer) -> None:
        """Look at the model."""
        self._check.models = [("", trainer.model)]

    def on_step_end(self, trainer: Trainer) -> None:
        """Leave a checksum after some of the steps."""
        self._check.step(trainer.state.step)
