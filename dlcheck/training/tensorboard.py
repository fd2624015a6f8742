"""TensorBoard event files beside the run folder's own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from dlcheck.errors import DlcheckError
from dlcheck.training.callbacks import Callback
from dlcheck.training.ledger import StepRow
from dlcheck.training.trainer import Trainer


class TensorBoardWriter(Callback):
    """Writes step losses, rates and epoch metrics as scalars.

    Raises:
        DlcheckError: the ``tensorboard`` package is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise DlcheckError(
                "train.tensorboard: needs the tensorboard package: pip install 'dlcheck[tensorboard]'"
            ) from None
        self._begun = folder.exists()
        self._open: Callable[..., Any] = partial(SummaryWriter, str(folder))
        self._writer: Any = None

    def on_train_begin(self, trainer: Trainer) -> None:
        """Open a file; readers leave out what one before holds of steps that a resume makes again."""
        step = trainer.state.step
        self._writer = self._open(purge_step=step + 1 if step or self._begun else None)

    def on_losses(self, trainer: Trainer, rows: list[StepRow]) -> None:
        """Write the steps since the last transfer; what a checkpoint holds is then on its way to the disk too."""
        for row in rows:
            self._writer.add_scalar("step/loss", row.loss, row.step)
            self._writer.add_scalar("step/lr", row.lr, row.step)
        self._writer.flush()

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Write the epoch, each split under its own tag."""
        for name, value in metrics.items():
            split, _, metric = name.rpartition("_")
            if split in ("train", "train_eval", "val"):
                self._writer.add_scalar(f"{metric}/{split}", value, trainer.state.step)
        self._writer.flush()

    def on_train_end(self, trainer: Trainer) -> None:
        """Close the file."""
        self._writer.close()
