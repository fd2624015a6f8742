"""A polite end: the first signal asks for a clean stop after the step in flight, the second insists."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

from dlcheck.errors import Terminated
from dlcheck.training.callbacks import Callback
from dlcheck.training.trainer import Trainer

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, the end that a scheduler announces, and a terminal that was closed."""


class StopOnInterrupt(Callback):
    """Turns signals into a stop that keeps everything so far; what is ignored, as under nohup, stays ignored."""

    def __init__(self) -> None:
        self.number: int | None = None
        """The signal that asked."""
        self._process = os.getpid()
        self._before: dict[int, object] = {}

    def on_train_begin(self, trainer: Trainer) -> None:
        """Listen; only the main thread may."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._ask)

    def on_step_end(self, trainer: Trainer) -> None:
        """Stop after this step when asked to."""
        if self.number is not None and trainer.stop is None:
            if trainer.ranks.size > 1:
                trainer.wishes_stop = True
            else:
                trainer.stop = "interrupted"

    def on_train_end(self, trainer: Trainer) -> None:
        """Give the signals back; a wish that came after the last step still counts."""
        late = self.number is not None and trainer.stop is None and trainer.ranks.size == 1
        if late and trainer.state.epoch < trainer.train.epochs:
            trainer.stop = "interrupted"
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a forked child: its parent decides, also when to terminate it
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        if self.number is not None:
            raise Terminated(number)
        self.number = number
