"""Checkpoints: all that continues a training bit for bit, and the best weights by themselves."""

from __future__ import annotations

import io
import random
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcheck.components.data.order import seed_of
from dlcheck.errors import DlcheckError, one_line
from dlcheck.runs.atomic import write_atomic, write_kept
from dlcheck.runs.folder import RunFolder
from dlcheck.training.callbacks import Callback
from dlcheck.training.device import seed_everything
from dlcheck.training.sharding import is_sharded, parted_optimizer, parted_weights, whole
from dlcheck.training.trainer import Trainer

LAST = "last.pt"
BEST = "best.pt"
FORMER = {LAST: "previous.pt", BEST: "previous-best.pt"}
"""What a checkpoint is called from the next one on: it stands in where that cannot be read."""


class Checkpointer(Callback):
    """Writes ``last.pt`` at every epoch's end and every few seconds between, ``best.pt`` when an epoch is best."""

    def __init__(self, folder: RunFolder | None) -> None:
        """Write into a run folder; None: only take part, as the leading process writes."""
        self.folder = folder
        self._saved = time.monotonic()

    def on_step_end(self, trainer: Trainer) -> None:
        """Save inside a long epoch; where training stops, its end saves."""
        if trainer.stop is None and time.monotonic() - self._saved > trainer.train.checkpoint_every_s:
            if trainer.ranks.size > 1:
                trainer.wishes_save = True
                return
            trainer.flush()
            self._save_last(trainer)

    def on_checkpoint(self, trainer: Trainer) -> None:
        """Save inside a long epoch that several processes train."""
        self._save_last(trainer)

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Save the epoch, and the best weights when it was the best; without validation the last is the best."""
        best = trainer.state.best_epoch
        if best is None or best == trainer.state.epoch:
            with trainer.averaged():
                values = {"model": _whole(trainer, trainer.model.state_dict()), "epoch": trainer.state.epoch}
                if self.folder is not None:
                    _save(values, self.folder.checkpoints / BEST)
        self._save_last(trainer)

    def on_train_end(self, trainer: Trainer) -> None:
        """Save where an interrupted epoch stands; an exception may have torn a step in two, and saves nothing."""
        if trainer.state.batch and trainer.stop is not None:
            self._save_last(trainer)

    def _save_last(self, trainer: Trainer) -> None:
        values = snapshot(trainer)
        if self.folder is not None:
            _save(values, self.folder.checkpoints / LAST)
        self._saved = time.monotonic()


def snapshot(trainer: Trainer) -> dict[str, Any]:
    """Return everything that the next step depends on."""
    average = trainer.parts.average
    others = trainer.ranks.gather(_random_state())[1:]
    return {
        "format": "dlcheck.checkpoint/1",
        "state": trainer.state.to_dict(),
        "stop": trainer.stop if trainer.stop != "interrupted" and not trainer.state.batch else None,
        "model": _whole(trainer, trainer.model.state_dict()),
        "optimizer": _whole(trainer, trainer.optimizer.state_dict()),
        "schedule": trainer.schedule.state_dict(),
        "scaler": trainer.stepper.scaler.state_dict(),
        "average": average.state_dict() if average is not None else None,
        "random": _random_state(),
        "others": others,
    }


def _whole(trainer: Trainer, state: dict[str, Any]) -> dict[str, Any]:
    """Return state of which each process may have a part as one alone can load it; all call this together."""
    found: dict[str, Any] = whole(state) if is_sharded(trainer.model) else state
    return found


def restore(trainer: Trainer, saved: dict[str, Any]) -> None:
    """Put a trainer, built from the same recipe with the saved state's counters, back where it was."""
    trainer.model.load_state_dict(parted_weights(trainer.model, saved["model"]))
    trainer.optimizer.load_state_dict(parted_optimizer(trainer.optimizer, saved["optimizer"]))
    trainer.schedule.load_state_dict(saved["schedule"])
    trainer.stepper.scaler.load_state_dict(saved["scaler"])
    if trainer.parts.average is not None:
        trainer.parts.average.load_state_dict(saved["average"])
    trainer.stop = saved.get("stop")
    states, ranks = [saved["random"], *saved.get("others", [])], trainer.ranks
    if ranks.leads or len(states) == ranks.size:
        _restore_random(states[ranks.rank])
    else:  # another number of processes than before: streams of their own from here on
        seed_everything(seed_of(trainer.train.seed, trainer.state.step, ranks.rank))


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint that could be read."""

    values: dict[str, Any]
    note: str | None = None
    """What to tell where it is not the newest."""


def load_newest(folder: Path, name: str, device: torch.device) -> Kept | None:
    """Read a checkpoint, or the one before where the newest is damaged; None where nothing is left to go on from.

    Raises:
        DlcheckError: none of two can be read.
    """
    newest, former = folder / name, folder / FORMER[name]
    if not newest.exists() and not former.exists():
        return None
    try:
        return Kept(load_checkpoint(newest, device))
    except DlcheckError as error:
        if not former.exists():
            return Kept({}, f"{error}; there was none before it")
        try:
            values = load_checkpoint(former, device)
        except DlcheckError as other:
            raise DlcheckError(f"{error}, and {former.name} neither: {other}") from None
        return Kept(values, f"{error}; {former.name}, the one before, takes its place")


def settle_best(folder: Path, best_epoch: int | None, device: torch.device) -> None:
    """Put the best weights back that a checkpoint knows, where a kill came between those of a later epoch and its own.

    Raises:
        DlcheckError: the file system refuses.
    """
    best, former = folder / BEST, folder / FORMER[BEST]
    if best_epoch is None or not former.exists() or _epoch(best, device) == best_epoch:
        return
    if _epoch(former, device) == best_epoch:
        write_atomic(best, former.read_bytes())


def _epoch(path: Path, device: torch.device) -> int | None:
    try:
        return load_checkpoint(path, device).get("epoch")
    except DlcheckError:
        return None


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
    write_kept(path, buffer.getbuffer(), path.with_name(FORMER[path.name]))


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
