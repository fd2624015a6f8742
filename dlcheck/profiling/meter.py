"""The times of a training's steps, taken in its main process.

Whoever runs the training tells the meter of requests for batches and of the phases between them. Time within a phase
that is spent in another one belongs to the inner one alone, so no moment counts twice, and the parts of a step sum to
its period.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter, thread_time
from typing import Any

from dlcheck.profiling.recorder import Row
from dlcheck.profiling.rows import BatchRow, StepRow
from dlcheck.profiling.scheduling import RunQueue
from dlcheck.profiling.stepping import BACKWARD, REST, DeviceMarks, Step, row_of, with_device

NEVER = float("-inf")
FRESH_S = 0.005
"""Seconds for which a reading of the run-queue delay is used again; what comes later counts in a later step."""
SHORT_S = 0.0005
"""A wait this short has no run-queue delay worth asking for."""
JOINT_S = 0.002
"""Seconds after a batch within which a request to another loader asks for more of the same step, as ``zip`` does."""


class Meter:
    """Turns what it is told into rows; calls ``rest`` at a request for a batch when it has as many as are wanted."""

    def __init__(self, rest: Callable[[Meter], None], device: DeviceMarks | None = None) -> None:
        self.rest, self.device = rest, device
        self.active = False
        """Whether anything is recorded; until then nothing is."""
        self.untrained = False
        """Whether batches that are not trained on make steps as well: those of a loader that is drained."""
        self.wanted = 1
        self.deadline = float("inf")
        """Moment after which the next request rests, however few rows there are."""
        self.steps: list[Step] = []
        """Those made so far."""
        self.phase = REST
        self.waiting = False
        """A batch has been requested and has not come."""
        self.trained: set[int] = set()
        """The loaders whose batches were trained on."""
        self._queue = RunQueue()
        self._read, self._read_at = 0.0, NEVER
        self._asked = 0.0
        """Moment of the last request."""
        self._open: list[int] = []
        self._since = 0.0
        self._step: Step | None = None
        self._epochs: dict[int, int] = {}

    @property
    def rows(self) -> list[StepRow]:
        """The rows of the steps made so far, without what the device tells."""
        return [row_of(step) for step in self.steps]

    @property
    def between(self) -> bool:
        """Whether a step is under way but none of its phases."""
        return self._step is not None and self.phase == REST and not self.waiting

    # Requests for batches.

    def begin_epoch(self, source: int) -> None:
        """A loader is about to be iterated from its beginning; ``source`` tells it from others."""
        if not self.active:
            return
        epoch = self._epochs[source] = self._epochs.get(source, -1) + 1
        self._request(source, epoch, first=True)

    def ask(self, source: int) -> None:
        """A batch is requested."""
        if not self.active:
            return
        step = self._step
        if step is not None and step.first and step.source == source and not step.got:
            return  # its loader has just begun: that is part of the wait
        self._request(source, self._epochs.get(source, 0), first=False)

    def got(self, samples: int, batch: Row | BatchRow | None = None) -> None:
        """The batch is there."""
        step = self._step
        if step is None or not self.waiting:
            return
        step.cpu += thread_time() - step.cpu_asked
        took = perf_counter() - self._asked
        if took > SHORT_S:
            self._read_at = NEVER  # what was read before is as old as the request, or older
            step.waited += min(took, self._waited(self._asked + took) - step.queue_asked)
        step.samples = max(step.samples, samples)
        step.batch = batch or step.batch
        self.waiting = False
        step.got = step.stepped = perf_counter()

    def exhausted(self, source: int) -> None:
        """The loader has no more batches: what follows up to the next request is no step's."""
        self._step, self.waiting = None, False

    def _request(self, source: int, epoch: int, *, first: bool) -> None:
        now = perf_counter()
        queue = self._waited(now)
        step = self._step
        if step is not None:
            if self._joins(step, source, now):
                step.cpu_asked, step.queue_asked, self.waiting = thread_time(), queue, True
                self._asked = now
                return
            if self._finish(step, now, queue):
                now = perf_counter()
                queue = self._waited(now)
        self._open.clear()
        self.phase, self.waiting = REST, True
        self._step = step = Step(source, epoch, first)
        if self.device is not None:
            step.marks.append((REST, self.device.mark()))
        step.queue = step.queue_asked = queue
        step.cpu_asked = thread_time()
        step.asked = self._asked = now

    def _waited(self, now: float) -> float:
        """Return the run-queue delay so far, as of a moment ago: steps of 2 ms need not pay for it every time."""
        if now - self._read_at > FRESH_S:
            self._read_at, self._read = now, self._queue.waited()
        return self._read

    def _joins(self, step: Step, source: int, now: float) -> bool:
        """Return whether a request belongs to the step under way: it takes batches of several loaders."""
        if step.trained or self.untrained or source == step.source or not step.got:
            return False
        return now - step.got < JOINT_S and not any(step.spent)

    def _finish(self, step: Step, now: float, queue: float) -> bool:
        """End a step; return whether the meter has been at rest since ``now``."""
        self._step, self.waiting = None, False
        if step.got and (step.trained or self.untrained):
            step.ended, step.queue = now, min(queue - step.queue, now - step.asked)
            self.steps.append(step)
            self.trained.add(step.source)
        if len(self.steps) >= self.wanted or now > self.deadline:
            self.rest(self)
            return True
        return False

    # Phases between them.

    def begin(self, phase: int) -> None:
        """A phase begins, within another one or none."""
        step = self._step
        if step is None or self.waiting:
            return
        if self.device is not None:
            step.marks.append((phase, self.device.mark()))
        now = perf_counter()
        if self._open:
            step.spent[self._open[-1]] += now - self._since
        self._open.append(phase)
        self.phase, self._since = phase, now

    def end(self, phase: int, *, counts: bool = True) -> None:
        """The phase ends; one that has not begun is passed over, and one that does not count was none."""
        step = self._step
        if step is None or self.waiting or not self._open or self._open[-1] != phase:
            return
        now = perf_counter()
        self._open.pop()
        if counts:
            step.spent[phase] += now - self._since
        elif self._open:
            step.spent[self._open[-1]] += now - self._since
        self.phase, self._since = self._open[-1] if self._open else REST, now
        if self.device is not None:
            if not counts:
                step.marks.pop()  # its beginning
            else:
                step.marks.append((self.phase, self.device.mark()))
        if phase >= BACKWARD and not self._open:
            # What comes later without another of these is outside the step: logging, evaluation.
            step.trained, step.stepped = True, now
            step.sums = step.spent.copy()
            step.marked = len(step.marks)

    def lost(self, loss: Any) -> None:
        """The loss of the step is known, perhaps not yet to the host."""
        if self._step is not None:
            self._step.loss = loss

    def take(self) -> tuple[list[StepRow], list[Any]]:
        """Return the rows with what events on the device tell, and losses; both begin anew."""
        rows, steps = self.rows, self.steps
        self.steps = []
        if self.device is not None:
            self.device.settle()
            rows = [with_device(row, step, self.device) for row, step in zip(rows, steps, strict=True)]
            self.device.recycle()
        return rows, [step.loss for step in steps]
