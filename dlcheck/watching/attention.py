"""How closely a script's training is listened to."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from dlcheck.monitor.model_watch import Passing, autocast
from dlcheck.monitor.monitor import Monitor
from dlcheck.monitor.record import Record
from dlcheck.runs import Event, RunFolder
from dlcheck.watching.curves import Curves
from dlcheck.watching.listener import MOST_FAILURES, guarded
from dlcheck.watching.models import Models, inner
from dlcheck.watching.rest import Paused, Rest

OFTEN = 16
"""Steps in a row that evaluate something: then it is part of the training, and no evaluation of it."""


class Attention:
    """What a run's listener holds, and how closely it listens: to all of a step, to its loss alone, or not at all."""

    def __init__(self, folder: RunFolder) -> None:
        self.active = self.awake = True
        self._woken, self._in_a_row = -1, 0
        self.rest, self.usual = Rest(), 0
        self._epoch: int | None = None
        self.failures: dict[str, int] = {}
        self.record = Record(folder)
        self.monitor = Monitor(self.record, every_step=False)
        self.monitor.passes = self._pass_under_way
        self.models, self.curves = Models(), Curves(folder)
        self.steps = self.backwards = 0
        self._last_input: tuple[int, int] = (0, 0)
        self._scalers: weakref.WeakSet[Any] = weakref.WeakSet()
        self._pending: list[Tensor | float] = []
        """Losses of the step under way."""

    def failed(self, name: str, error: Exception) -> None:
        """Take note that a method of this class failed; after a few failures nothing more is listened to."""
        self.failures[name] = self.failures.get(name, 0) + 1
        if self.failures[name] == 1:
            detail = {"part": f"watching.{name}", "error": f"{type(error).__name__}: {error}"}
            self.record.event(Event("monitor-failed", self.steps, detail=detail))
        if sum(self.failures.values()) > MOST_FAILURES * len(self.failures) * 4:
            self.active = False
            self.rest.end()

    def _wake(self) -> bool:
        """Listen to all again, for what happens now; return False where that happens in every step."""
        if self._woken != self.steps:
            self._in_a_row = self._in_a_row + 1 if self._woken == self.steps - 1 else 0
            self._woken = self.steps
        if self._in_a_row > OFTEN:
            return False
        self.monitor.wake()
        self._settle()
        return True

    def _settle(self) -> None:
        """Listen as closely as the monitor wants it."""
        rest, monitor = self.rest, self.monitor
        self.drain()
        self.awake = monitor.awake
        resting = monitor.resting and not self._scalers
        # Of the calls in between none was seen: an address that comes again is no batch that comes again.
        self._last_input = (0, 0)
        self._write()
        if resting:
            trained = (module for module, root in self.models.roots.items() if root is not None and root.trained)
            roots = [(module, monitor.draws(inner(module))) for module in trained]
            rest.begin(self.steps, self._paused(), roots)
        else:
            self._pending += rest.losses
            rest.losses.clear()
            rest.end()
        monitor.unhook() if resting else monitor.hook()

    def _paused(self) -> Iterator[Paused]:
        for optimizer, held in self.models.optimizers.items():
            watch = self.monitor.watch_of(optimizer) if held.known else None
            if watch is not None and not isinstance(optimizer.param_groups[0].get("lr"), Tensor):
                yield Paused(weakref.ref(optimizer), held, watch, held.since + held.steps, watch.calm)

    def drain(self) -> None:
        """Count what was only counted aside."""
        rest = self.rest
        for entry in rest.entries.values():
            if entry.fresh:
                entry.held.steps += entry.fresh
                self.monitor.counted(entry.watch, entry.fresh)
                entry.fresh = 0
        self.steps = max(self.steps, rest.step)
        losses, rest.told = rest.unmarked - rest.told, rest.unmarked
        if losses:
            self.monitor.unmarked(losses)
            self.backwards += losses

    def _write(self) -> None:
        """Hand over the losses of steps of which nothing else was heard."""
        rows, self.rest.rows = self.rest.rows, []
        if rows:
            self.curves.batch_losses([(step, self._epoch, loss, float(lr)) for step, loss, lr in rows])

    def _pass_under_way(self) -> Passing | None:
        if self.rest.passing is None:
            return None
        module, inputs, named, random = self.rest.passing
        return Passing(inner(module), inputs, named, autocast(), random)

    @guarded
    def overheard(self, loss: Tensor) -> bool:
        """Take note of a loss that a short step computed, and mark its graph; return False where it is no plain one."""
        value = self.monitor.overhear(loss, mark=True)
        if value is None:
            return False
        self.backwards += 1
        self.rest.unmarked = self.rest.told = 0
        self.rest.losses.append(value)
        return True

    def flush(self) -> None:
        """Write what is known to the run folder."""
        self.drain()
        self._write()
        self.curves.flush()
        self.record.flush()
