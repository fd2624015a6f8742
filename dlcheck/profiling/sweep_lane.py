"""Children that are measured in turns: never more than two alive, and none left behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

from dlcheck.errors import DlcheckError
from dlcheck.profiling.paired import step_cost
from dlcheck.profiling.settings import Block, Trial, TrialSettings

Start = Callable[[TrialSettings], Trial]

ALIVE = 2
"""Children at a time: two can be compared in turns, and a third would only take memory and cores."""
WARM_UP = 3
"""First steps of a child that are never counted: memory is allocated, and algorithms are chosen."""
BLOCK_S = 0.8
"""Length of a block: many times what a scheduler hands out at a time, and few seconds for a comparison."""
FEWEST, MOST = 3, 400
"""Steps of a block."""
WAITS = 0.02
"""Share of waiting in a block's steps from which on its workers end it with an empty queue."""
LONGEST_REFILL_S = 2.0
EXPECTED_START_S = 5.0
"""Of a child that loads PyTorch and a data set of some size."""


class Lane:
    """One setting and the child that runs it, which is started when it is first needed."""

    def __init__(
        self, settings: TrialSettings, *, workers: int, prefetch: int, cost_s: float, samples: int = 1
    ) -> None:
        self.settings, self.workers, self.samples = settings, workers, samples
        self.ahead = workers * prefetch
        """Batches that workers make ahead of their use."""
        self.cost_s = cost_s
        """Of a step, as far as it is known."""
        self.refill_s = 0.0
        """What its workers are busy for when a block has ended."""
        self.trial: Trial | None = None
        self.fresh = True
        self.costs: list[float] = []
        """Of a step, in each block so far."""
        self.made = 0
        """Steps that were measured."""
        self.startup_s: float | None = None

    def steps(self, block_s: float, epoch: int | None) -> int:
        """Return the steps of a block: as many for each worker, and whole epochs where those are short."""
        count = min(max(math.ceil(block_s / max(self.cost_s, 1e-6)), FEWEST), MOST)
        unit = max(self.workers, 1)
        if epoch and epoch <= 2 * count:
            unit = epoch
        return math.ceil(count / unit) * unit

    @property
    def skip(self) -> int:
        """Return the steps that use up what was made ahead while the child was at rest."""
        return (self.ahead + 1 if self.ahead else 0) + (WARM_UP if self.fresh else 0)


class Lanes:
    """Starts and ends the children of lanes; as a context it ends all that are alive, whatever happened."""

    def __init__(
        self,
        start: Start,
        clock: Callable[[], float],
        pause: Callable[[float], None],
        *,
        epoch: int | None = None,
    ) -> None:
        self._start, self._clock, self._pause = start, clock, pause
        self._epoch = epoch
        """Rows of an epoch, which are batches."""
        self.alive: list[Lane] = []
        self._longest_start: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        failed: BaseException | None = None
        for lane in (*self.alive, *self.alive):  # again for one whose end Ctrl-C interrupted
            try:
                self.close(lane)
            except BaseException as error:  # one that cannot be ended does not keep the other alive
                failed = error
        if failed is not None:
            raise failed

    @property
    def start_s(self) -> float:
        """Return the seconds of the longest start so far, or what one is expected to take."""
        return EXPECTED_START_S if self._longest_start is None else self._longest_start

    def adopt(self, lane: Lane, trial: Trial) -> None:
        """Take over a child that runs already."""
        lane.trial, lane.fresh, lane.startup_s = trial, False, trial.startup_s
        self.alive.append(lane)

    def open(self, lane: Lane, *, keep: Lane | None = None) -> None:
        """Start a lane's child; where two are alive, the one that is not to be kept ends first.

        Raises:
            DlcheckError: it could not be started.
        """
        if lane.trial is not None:
            return
        for other in [other for other in self.alive if other is not keep][: len(self.alive) - ALIVE + 1]:
            self.close(other)
        began = self._clock()
        lane.trial, lane.fresh = self._start(lane.settings), True
        lane.startup_s = lane.trial.startup_s
        self.alive.append(lane)
        self._longest_start = max(self._longest_start or 0.0, self._clock() - began)

    def close(self, lane: Lane) -> None:
        """End a lane's child, if it is alive."""
        if lane.trial is not None:
            lane.trial.close()
            lane.trial = None
        if lane in self.alive:  # last, so that one whose end was interrupted is ended again
            self.alive.remove(lane)

    def block(self, lane: Lane, block_s: float) -> float:
        """Make one block of steps and return the mean seconds of a step, of as many samples as the present one has.

        Workers of the other lane first get the time to fill their queues again, as they would take cores meanwhile.

        Raises:
            DlcheckError: the child died, or the training is too short to be measured.
        """
        self._pause(max((other.refill_s for other in self.alive), default=0.0))
        wanted = lane.steps(block_s, self._epoch)
        made = self._run(lane, wanted)
        if len(made.rows) < min(wanted, FEWEST):
            made = self._run(lane, wanted)  # the last one had come to its end; a new child begins anew
        if len(made.rows) < min(wanted, FEWEST):
            raise DlcheckError(f"the training ended after too few steps to be measured: {made.ended or 'finished'}")
        lane.cost_s = step_cost(made.rows, self._epoch, workers=lane.workers)
        lane.costs.append(lane.cost_s)
        lane.made += len(made.rows)
        lane.refill_s = self._refill(lane, made)
        return lane.cost_s / lane.samples

    def first(self, lane: Lane, steps: int) -> tuple[float, ...]:
        """Make a child's first steps, which are not timed, and return their losses.

        Raises:
            DlcheckError: the child died.
        """
        lane.fresh = False
        made = self._run(lane, steps)
        lane.cost_s = made.rows[-1].period if made.rows else lane.cost_s
        return made.losses

    def block_cost(self, lane: Lane, block_s: float) -> float:
        """Return the seconds that a block is expected to take."""
        steps = lane.steps(block_s, self._epoch) + lane.skip
        return steps * lane.cost_s + lane.refill_s

    def _run(self, lane: Lane, steps: int) -> Block:
        self.open(lane, keep=None if lane in self.alive else self._other(lane))
        trial = lane.trial
        assert trial is not None
        skip, lane.fresh = lane.skip, False
        try:
            made = trial.run(steps, skip=skip)
        except DlcheckError:
            self.close(lane)
            raise
        if made.ended:
            self.close(lane)
        return made

    def _other(self, lane: Lane) -> Lane | None:
        return next((other for other in reversed(self.alive) if other is not lane), None)

    def _refill(self, lane: Lane, made: Block) -> float:
        """Return how long workers that fell behind make batches ahead: as long as so many steps take."""
        whole = sum(row.period for row in made.rows)
        if lane.trial is None or sum(row.wait for row in made.rows) <= WAITS * whole:
            return 0.0
        return min(lane.ahead * lane.cost_s, LONGEST_REFILL_S)
