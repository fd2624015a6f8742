"""Checkpoints: all that continues a training bit for bit, and the best weights by themselves."""

from __future__ import annotations

import io
import random
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcheck.errors import DlcheckError, one_line
from dlcheck.runs.atomic import write_atomic
from dlcheck.runs.folder import RunFolder
from dlcheck.training.callbacks import Callback
from dlcheck.training.trainer import Trainer

LAST = "last.pt"
BEST = "best.pt"


class Checkpointer(Callback):
    """Writes ``last.pt`` at every epoch's end and every few seconds between, ``best.pt`` when an epoch is best."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._saved = time.monotonic()

    def on_step_end(self, trainer: Trainer) -> None:
        """Save inside a long epoch."""
        if time.monotonic() - self._saved > trainer.train.checkpoint_every_s:
            trainer.flush()
            self._save_last(trainer)

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Save the epoch, and the best weights when it was the best; without validation the last is the best."""
        best = trainer.state.best_epoch
        if best is None or best == trainer.state.epoch:
            with trainer.averaged():
                _save({"model": trainer.model.state_dict()}, self.folder.checkpoints / BEST)
        self._save_last(trainer)

    def on_train_end(self, trainer: Trainer) -> None:
        """Save where an interrupted epoch stands."""
        if trainer.state.batch:
            self._save_last(trainer)

    def _save_last(self, trainer: Trainer) -> None:
        _save(snapshot(trainer), self.folder.checkpoints / LAST)
        self._saved = time.monotonic()


def snapshot(trainer: Trainer) -> dict[str, Any]:
    """Return everything that the next step depends on."""
    average = trainer.parts.average
    return {
        "format": "dlcheck.checkpoint/1",
        "state": trainer.state.to_dict(),
        "model": trainer.model.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "schedule": trainer.schedule.state_dict(),
        "scaler": trainer.stepper.scaler.state_dict(),
        "average": average.state_dict() if average is not None else None,
        "random": _random_state(),
    }


def restore(trainer: Trainer, saved: dict[str, Any]) -> None:
    """Put a trainer, built from the same recipe with the saved state's counters, back where it was."""
    trainer.model.load_state_dict(saved["model"])
    trainer.optimizer.load_state_dict(saved["optimizer"])
    trainer.schedule.load_state_dict(saved["schedule"])
    trainer.stepper.scaler.load_state_dict(saved["scaler"])
    if trainer.parts.average is not None:
        trainer.parts.average.load_state_dict(saved["average"])
    _restore_random(saved["random"])


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint of ours; never executes what it holds.

    PyTorch does not look at the check sums that stand in the file, so they are compared first.

    Raises:
        DlcheckError: missing, torn, damaged, or no checkpoint.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if (damaged := archive.testzip()) is not None:
                raise zipfile.BadZipFile(f"{damaged} is damaged")
        loaded: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # damaged files raise nearly anything
        raise DlcheckError(f"{path}: cannot read this checkpoint: {one_line(error)}") from None
    return loaded


def _save(values: dict[str, Any], path: Path) -> None:
    buffer = io.BytesIO()
    torch.save(values, buffer)
    write_atomic(path, buffer.getvalue())


def _random_state() -> dict[str, Any]:
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "python": [version, list(words), gauss],
        "numpy": [name, torch.tensor(np.asarray(keys, dtype=np.int64)), position, has_gauss, cached],
    }


def _restore_random(saved: dict[str, Any]) -> None:
    torch.set_rng_state(saved["torch"].cpu())
    if saved["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([state.cpu() for state in saved["cuda"]])
    version, words, gauss = saved["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, position, has_gauss, cached = saved["numpy"]
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), position, has_gauss, cached))
