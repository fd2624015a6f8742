"""What may happen at each point of a training: the hooks that recorders, monitors and displays fill in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcheck.training.ledger import StepRow
    from dlcheck.training.trainer import Trainer


class Callback:
    """Listens to a training; every hook does nothing until a subclass says otherwise.

    Hooks may read everything of the trainer and must change nothing but ``trainer.stop``.
    """

    def on_train_begin(self, trainer: Trainer) -> None:
        """Before the first step, or the first after a resume."""

    def on_epoch_begin(self, trainer: Trainer) -> None:
        """Before an epoch's first batch (or the first one that is left of it)."""

    def on_gradients(self, trainer: Trainer) -> None:
        """Gradients of this step are complete and clipped; weights have not moved."""

    def on_step_end(self, trainer: Trainer) -> None:
        """After an optimizer step; ``trainer.state.step`` counts it already."""

    def on_losses(self, trainer: Trainer, rows: list[StepRow]) -> None:
        """Rows of the steps since the last call, read from the device in one transfer."""

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """After an epoch's evaluation; ``metrics`` is the row that goes into ``metrics.csv``."""

    def on_checkpoint(self, trainer: Trainer) -> None:
        """Between two steps, where the processes of a training have agreed to save inside an epoch."""

    def on_train_end(self, trainer: Trainer) -> None:
        """After the last step, however it came to be the last."""


class Notifier:
    """Calls the hooks of many callbacks, and only those that do something."""

    def __init__(self, callbacks: list[Callback]) -> None:
        self.callbacks = callbacks
        names = [name for name in vars(Callback) if name.startswith("on_")]
        self._hooks = {name: [getattr(c, name) for c in callbacks if _overrides(c, name)] for name in names}

    def hooks(self, name: str) -> list[Callable[..., None]]:
        """Return the bound methods behind one hook."""
        return self._hooks[name]

    def __call__(self, name: str, *args: Any) -> None:
        """Call one hook of every callback that has it."""
        for hook in self._hooks[name]:
            hook(*args)

    def every(self, name: str, *args: Any) -> None:
        """Call one hook of every callback that has it, whatever another raises; then raise the first of that.

        So one that cannot write its file keeps no other from letting go of what it holds.
        """
        first: BaseException | None = None
        for hook in self._hooks[name]:
            try:
                hook(*args)
            except BaseException as error:
                first = first or error
        if first is not None:
            raise first


def _overrides(callback: Callback, name: str) -> bool:
    return getattr(type(callback), name) is not getattr(Callback, name)
