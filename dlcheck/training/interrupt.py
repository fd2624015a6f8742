"""Ctrl-C: the first asks for a clean stop after the step in flight, the second insists."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from dlcheck.training.callbacks import Callback
from dlcheck.training.trainer import Trainer


class StopOnInterrupt(Callback):
    """Turns SIGINT and SIGTERM into a stop that keeps everything so far."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[int, object] = {}

    def on_train_begin(self, trainer: Trainer) -> None:
        """Listen; only the main thread may."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)

    def on_step_end(self, trainer: Trainer) -> None:
        """Stop after this step when asked to."""
        if self._asked:
            trainer.stop = "interrupted"

    def on_train_end(self, trainer: Trainer) -> None:
        """Give the signals back; a wish that came after the last step still counts."""
        if self._asked and trainer.stop is None and trainer.state.epoch < trainer.train.epochs:
            trainer.stop = "interrupted"
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
