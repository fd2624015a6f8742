"""Writes the layer statistics of one step per epoch into the run folder."""

from __future__ import annotations

from dlcheck.monitor.layers import LayerProbe
from dlcheck.runs import CsvLog, RunFolder
from dlcheck.training.callbacks import Callback
from dlcheck.training.trainer import Trainer


class LayerRecorder(Callback):
    """Measures the last step of every epoch: one step in many, so that it costs next to nothing."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._log: CsvLog | None = None
        self._probe: LayerProbe | None = None
        self._last = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Find the layers and open the log."""
        self._probe = LayerProbe(trainer.model)
        self._last = trainer.steps_per_epoch
        self._log = self.folder.log(self.folder.layers, ["step", "layer", "statistic", "value"])
        self._log.truncate_after(trainer.state.step)

    def on_gradients(self, trainer: Trainer) -> None:
        """Measure before the epoch's last step; ``state.step`` counts the steps done."""
        if self._probe and (trainer.state.step + 1) % self._last == 0:
            self._probe.before()

    def on_step_end(self, trainer: Trainer) -> None:
        """Measure after it."""
        if self._probe and self._log and trainer.state.step % self._last == 0:
            for row in self._probe.after(trainer.state.step):
                self._log.append((row.step, row.layer, row.statistic, row.value))
            self._log.flush()
