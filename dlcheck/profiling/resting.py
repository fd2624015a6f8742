"""Where a profiled training rests between blocks of steps, and hears what is wanted next."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from dlcheck.profiling.found import Found
from dlcheck.profiling.gap import GapSampler
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.nursery import loaded
from dlcheck.profiling.settings import Block
from dlcheck.watching.execute import Stopped


class Resting:
    """Answers the parent at a request for a batch; the training goes on when the call returns.

    From the parent come ``("run", steps, skip, seconds)`` and ``("quit",)``; to it go
    ``("ready", seconds, found, modules)`` once, then a ``("block", block, found)`` for every run.
    """

    def __init__(self, parent: Connection, look: Callable[[], Found], *, keep_first: bool = True) -> None:
        self._parent, self._look, self._keep_first = parent, look, keep_first
        self.ready = False
        """The first step has been made, and the parent told so."""
        self._skip = 0
        self._gaps = GapSampler()
        self.over = False
        """The parent wants no more."""

    def __call__(self, meter: Meter) -> None:
        """Tell what there is, and wait for what comes next.

        Raises:
            Stopped: the training is not needed any more.
        """
        if self.ready:
            self._tell_block(meter, "" if len(meter.steps) >= meter.wanted else "out of time")
        else:
            self._tell_ready(meter)
        self._await(meter)

    def finish(self, meter: Meter, ended: str = "finished") -> None:
        """The training ends of its own; answer the parent until it wants no more.

        Raises:
            Stopped: it wants no more.
        """
        if not self.ready and meter.steps:
            self._tell_ready(meter)
            self._await(meter)
        while not self.over:
            if self.ready:
                self._tell_block(meter, ended)
            self._await(meter)

    def _tell_ready(self, meter: Meter) -> None:
        first = meter.steps[0]
        self.ready = True
        if not self._keep_first:
            meter.take()
        self._send(("ready", first.got - first.asked, self._found(), loaded()))

    def _tell_block(self, meter: Meter, ended: str) -> None:
        self._gaps.stop()
        rows, losses = meter.take()
        known = tuple(float(loss) for loss in losses if loss is not None)
        some = known if len(known) == len(rows) else ()
        block = Block(tuple(rows[self._skip :]), some[self._skip :], ended, _device_bytes())
        self._send(("block", block, self._found()))

    def _found(self) -> Found:
        return replace(self._look(), gap_site=self._gaps.site)

    def _send(self, message: tuple[Any, ...]) -> None:
        with contextlib.suppress(OSError):  # the parent is gone; reading tells
            self._parent.send(message)

    def _await(self, meter: Meter) -> None:
        try:
            word, *rest = self._parent.recv()
        except (EOFError, OSError):
            word, rest = "quit", []
        if word == "quit":
            self.over = True
            raise Stopped
        steps, self._skip, seconds = rest
        meter.wanted = steps + self._skip
        meter.deadline = time.perf_counter() + seconds
        if len(meter.steps) >= meter.wanted:
            self(meter)
        elif not meter.untrained:
            self._gaps.start(meter)


def _device_bytes() -> int | None:
    """Return what is allocated on a GPU; None where the training uses none."""
    import torch

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return None
    return int(torch.cuda.memory_allocated())
