"""The curves of a run that logs none: losses of batches, of epochs, and of evaluations."""

from __future__ import annotations

import math
import time
import weakref
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dlcheck.runs import CsvLog, RunFolder
from dlcheck.watching.loader_state import Block

AT_ONCE = 64
"""Losses on a device that are read together, so that it is waited for once."""
EPOCH_COLUMNS = (
    "epoch",
    "step",
    "wall_s",
    "lr",
    "train_loss",
    "train_eval_loss",
    "train_eval_accuracy",
    "val_loss",
    "val_accuracy",
    "test_loss",
    "test_accuracy",
)


@dataclass(slots=True)
class _Epoch:
    loss: float = 0.0
    batches: int = 0


@dataclass(slots=True)
class _Waiting:
    step: int
    epoch: int | None
    loss: Tensor


@dataclass(slots=True)
class Curves:
    """Writes ``steps.csv`` and ``metrics.csv`` of a run folder."""

    folder: RunFolder
    several: bool = False
    """Several optimizers train in turn, each with a loss of its own: their losses are no one curve."""
    _steps: CsvLog = field(init=False)
    _epochs: CsvLog = field(init=False)
    _own: dict[str, CsvLog] = field(default_factory=dict)
    _waiting: list[_Waiting] = field(default_factory=list)
    _held: list[tuple[int, int | None, float, float]] = field(default_factory=list)
    """The first rows, until it is known that one loss trains the whole."""
    _sure: bool = False
    _epoch: _Epoch = field(default_factory=_Epoch)
    _row: dict[str, float] = field(default_factory=dict)
    _start: float = field(default_factory=time.monotonic)
    _lr: float = math.nan
    rows: int = 0
    """Losses noted."""

    def __post_init__(self) -> None:
        self._steps = self.folder.log(self.folder.steps, ["step", "epoch", "loss", "lr"])
        self._epochs = self.folder.log(self.folder.metrics, EPOCH_COLUMNS)

    def batch_loss(self, loss: Tensor | float, *, step: int, epoch: int | None, lr: float) -> None:
        """Note the loss of one training batch; it is read at once on a CPU, later elsewhere."""
        self._lr = lr
        self.rows += 1
        if self.several:
            return
        if isinstance(loss, float) or loss.is_cpu:
            self._add(step, epoch, float(loss))
            return
        self._waiting.append(_Waiting(step, epoch, loss.detach()))
        if len(self._waiting) >= AT_ONCE:
            self._read()

    def batch_losses(self, rows: list[tuple[int, int | None, float, float]]) -> None:
        """Note losses of batches of one epoch: step, epoch, loss and learning rate."""
        self.rows += len(rows)
        self._lr = rows[-1][-1]
        if self.several:
            return
        self._epoch.loss += sum(row[2] for row in rows)
        self._epoch.batches += len(rows)
        if self._sure:
            self._steps.extend(rows)
        else:
            self._held += rows

    def one_loss(self) -> None:
        """Say that one loss trains the whole model: what was held back is written."""
        if not self._sure:
            self._sure = True
            self._write_held()

    def by_turns(self) -> None:
        """Say that several optimizers train in turn: losses of batches are no curve from now on."""
        self.several = True
        self._held.clear()
        self._waiting.clear()
        self._epoch = _Epoch()

    def evaluated(self, split: str, block: Block) -> None:
        """Note what an evaluation came to."""
        if block.weight:
            self._row[f"{split}_loss"] = block.loss / block.weight
        if block.judged:
            self._row[f"{split}_accuracy"] = block.right / block.judged

    def epoch_ended(self, step: int, epoch: int | None) -> None:
        """Write the row of an epoch, with the evaluations since the last row."""
        self._read()
        if self._epoch.batches and epoch is not None:
            self._row["train_loss"] = self._epoch.loss / self._epoch.batches
        self._epoch = _Epoch()
        if not self._row:
            return
        places = {"epoch": epoch, "step": step, "wall_s": round(time.monotonic() - self._start, 3)}
        row = {**places, "lr": None if math.isnan(self._lr) else self._lr, **self._row}
        self._epochs.append([row.get(name) for name in EPOCH_COLUMNS])
        self._row = {}

    def flush(self) -> None:
        """Write all that is known to the folder."""
        self._read()
        if self._sure:
            self._write_held()
        self._steps.flush()
        self._epochs.flush()

    def close(self, step: int, epoch: int | None) -> None:
        """Write the last rows; an epoch that was cut short has no training loss."""
        self._read()
        if not self.several:
            self._sure = True
            self._write_held()
        self.epoch_ended(step, epoch)
        self.flush()

    def _add(self, step: int, epoch: int | None, loss: float) -> None:
        self._epoch.loss += loss
        self._epoch.batches += 1
        if self._sure:
            self._steps.append((step, epoch, loss, self._lr))
        else:
            self._held.append((step, epoch, loss, self._lr))

    def _write_held(self) -> None:
        self._steps.extend(self._held)
        self._held.clear()

    def _read(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        values = torch.stack([one.loss.reshape(()).float() for one in waiting]).tolist()
        for one, value in zip(waiting, values, strict=True):
            self._add(one.step, one.epoch, value)


@dataclass(slots=True)
class Scaled:
    """The losses that a gradient scaler multiplied, so that the true one can be told."""

    _true: dict[int, tuple[weakref.ref[Tensor], Tensor]] = field(default_factory=dict)

    def note(self, loss: object, scaled: object) -> None:
        """Remember of which loss this one is a multiple, until it is asked for."""
        if isinstance(loss, Tensor) and isinstance(scaled, Tensor):
            self._true[id(scaled)] = weakref.ref(scaled), loss

    def true(self, loss: Tensor) -> Tensor:
        """Return the loss before scaling, or the loss itself; all others are forgotten."""
        found = self._true.pop(id(loss), None)
        self._true.clear()
        return found[1] if found is not None and found[0]() is loss else loss
