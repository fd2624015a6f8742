"""Writes what happens in a training into its run folder."""

from __future__ import annotations

from dlcheck.runs import CsvLog, RunFolder
from dlcheck.runs.thinned import ThinnedLog
from dlcheck.training.callbacks import Callback
from dlcheck.training.ledger import StepRow
from dlcheck.training.trainer import Trainer


class Recorder(Callback):
    """Keeps ``metrics.csv``, a row an epoch, and ``steps.csv``, a row every ``train.log_every`` steps or rarer."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._steps: ThinnedLog | None = None
        self._metrics: CsvLog | None = None

    def on_train_begin(self, trainer: Trainer) -> None:
        """Open the logs; rows after the checkpoint that a resume starts from are dropped, they come again.

        An epoch's row is written once a checkpoint holds it: one that a kill kept from its file comes from there.
        """
        metric = trainer.parts.metric.name
        header = ["epoch", "step", "wall_s", "lr", "train_loss", f"train_{metric}"]
        header += ["train_eval_loss", f"train_eval_{metric}"]
        if trainer.data.val is not None:
            header += ["val_loss", f"val_{metric}"]
        self._metrics = self.folder.log(self.folder.metrics, [*header, "samples_per_s"])
        steps = self.folder.log(self.folder.steps, ["step", "epoch", "loss", "lr", "grad_norm"])
        self._steps = ThinnedLog(steps, ("loss", "grad_norm"), every=trainer.train.log_every)
        for log in (self._metrics, self._steps):
            log.truncate_after(trainer.state.step)
        for row in trainer.state.history:
            if row["epoch"] > self._metrics.rows:
                self._add(row)

    def on_losses(self, trainer: Trainer, rows: list[StepRow]) -> None:
        """Write the rows of the last steps."""
        if self._steps is None:
            return
        for row in rows:
            self._steps.append((row.step, row.epoch, row.loss, row.lr, row.grad_norm))
        self._steps.flush()

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Write the epoch's row."""
        self._add(metrics)

    def _add(self, row: dict[str, float]) -> None:
        if self._metrics is not None:
            self._metrics.append([_cell(name, row.get(name)) for name in self._metrics.columns])
            self._metrics.flush(sync=True)


def _cell(name: str, value: float | None) -> float | int | None:
    return int(value) if value is not None and name in ("epoch", "step") else value
