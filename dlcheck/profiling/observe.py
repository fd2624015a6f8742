"""Observes a training for some steps, and tells where their time went and who wanted the machine meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from statistics import fmean, median
from typing import Protocol

from dlcheck.errors import DlcheckError
from dlcheck.profiling.account import loader_times, step_times
from dlcheck.profiling.ceilings import half_width, rate
from dlcheck.profiling.environment import Environment, Snapshot, Window
from dlcheck.profiling.found import Found
from dlcheck.profiling.growth import Sample, common_samples, growth
from dlcheck.profiling.parts import epoch_rows
from dlcheck.profiling.predict import calm_wait_share
from dlcheck.profiling.queue_model import PREFETCH
from dlcheck.profiling.rows import StepRow
from dlcheck.profiling.settings import Trial
from dlcheck.rules.speed.busy import others, queued
from dlcheck.rules.speed.limits import LIMITS
from dlcheck.runs.facts import CpuUse, Fact, MemoryGrowth

WARM_UP = 8
"""Steps before the first that counts: buffers grow, kernels are chosen, caches fill."""
LEAST_WARM_UP = 4
"""However slow they are: the child looks for the line that runs between phases in the first block alone."""
BLOCKS = 4
"""Of steps, in one pass; memory is looked at between them."""
BLOCK_S = 0.3
"""A block takes no less: core time is counted in hundredths of a second."""
MOST_BLOCK = 500
"""Steps of a block, however short they are."""
REST_S = 0.05
"""Between two blocks, at most: workers go on making batches, and the first steps after it find them ready."""
WIDE = 0.1
"""Half width of a rate's 95 % interval, relative to it, from which on it is worth observing more."""
EPOCH_SHARE = 0.25
"""Of the budget, that may be spent on seeing an epoch begin."""
WARM_UP_SHARE = 0.2
"""Of the budget, for the warm-up."""
BLOCKS_SHARE = 0.25
"""Of the budget, that is left for blocks even where the warm-up took all of it, as a compilation may."""


class Watched(Trial, Protocol):
    """A trial that tells what it found out about the training."""

    @property
    def found(self) -> Found | None:
        """As of now: some of it is only learned while steps are made; None before the first."""
        ...


@dataclass(frozen=True, slots=True)
class Stretch:
    """One block without the steps that a rest before it touched, and the machine meanwhile."""

    rows: tuple[StepRow, ...]
    window: Window


@dataclass(frozen=True, slots=True)
class Memory:
    """What was in use after so many steps."""

    step: int
    processes: Mapping[int, int]
    device: int | None


def observe(
    trial: Watched,
    environment: Environment,
    steps: int = 40,
    *,
    budget_s: float = 20.0,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[tuple[StepRow, ...], tuple[Fact, ...]]:
    """Observe a warm-up and some blocks of steps, and return the rows of the latter and what they tell.

    It goes on, with twice as many steps each time, while the interval of the rate is wide or other programs use the
    cores, as long as the budget lasts. Where some blocks were made on a calm machine and others were not, the calm
    ones count.

    Args:
        trial: at rest, or not yet begun.
        environment: looks at the machine.
        steps: to be observed at least; fewer where one takes so long that the budget does not allow them.
        budget_s: seconds for all of it; a quarter more where the warm-up takes it up, and one block is always made.
        clock: tells seconds.

    Returns:
        The rows, and ``StepTimes``, ``LoaderTimes``, ``CpuUse``, and where they can be told ``SharedMemory`` and
        ``MemoryGrowth``.

    Raises:
        DlcheckError: the training failed, or made no step.
    """
    observer = _Observer(trial, environment, clock, budget_s)
    observer.warm_up()
    wanted = observer.block_steps(steps)
    while not observer.ended:
        observer.blocks(wanted)
        if observer.out_of_time or observer.settled(steps):
            break
        wanted *= 2
    return observer.told()


class _Observer:
    """A training under observation."""

    def __init__(self, trial: Watched, environment: Environment, clock: Callable[[], float], budget_s: float) -> None:
        self.trial, self.environment = trial, environment
        self.clock, self.budget_s, self.end = clock, budget_s, clock() + budget_s
        self.step_s = 0.0
        self.made = 0
        self.ended = ""
        self.device_bytes: int | None = None
        self.stretches: list[Stretch] = []
        self.memory: list[Memory] = []

    @property
    def found(self) -> Found:
        found = self.trial.found
        assert found is not None  # a step has been made
        return found

    @property
    def out_of_time(self) -> bool:
        return self.clock() >= self.end

    def warm_up(self) -> None:
        """Make the first steps; where they are slow, only the fewest."""
        before = self.environment.snapshot()
        rows = self._run(LEAST_WARM_UP)
        self.step_s = self._length(rows)
        left = min(WARM_UP - LEAST_WARM_UP, int(WARM_UP_SHARE * self.budget_s / self.step_s))
        if not self.ended and left > 0:
            rows += self._run(left)
            self.step_s = self._length(rows)
        after = self._rested()
        self.end = max(self.end, self.clock() + BLOCKS_SHARE * self.budget_s)
        if self.ended:  # a training as short as this is observed as far as it goes
            self.stretches.append(Stretch(rows, Window(before, after)))

    def _length(self, rows: Sequence[StepRow]) -> float:
        """Return the length of a step, the very first left out, which waits for workers to start."""
        return max(median(row.period for row in rows[1:] or rows), 1e-6) if rows else 1.0

    def _run(self, steps: int) -> tuple[StepRow, ...]:
        block = self.trial.run(steps)
        self.ended = block.ended
        self.device_bytes = block.device_bytes
        self.made += len(block.rows)
        return block.rows

    def _rested(self) -> Snapshot:
        """Look at the machine after a block."""
        snapshot = self.environment.snapshot()
        self.memory.append(Memory(self.made, snapshot.memory or {}, self.device_bytes))
        return snapshot

    def block_steps(self, steps: int) -> int:
        """Return the steps of a block: enough to be measured, and to see an epoch begin where workers start then."""
        wanted = max(ceil(steps / BLOCKS), ceil(BLOCK_S / self.step_s))
        found = self.found
        epoch = epoch_rows(found) if found.workers and not found.persistent else None
        if epoch and epoch * self.step_s <= EPOCH_SHARE * self.budget_s:
            wanted = max(wanted, ceil((epoch + 1) / BLOCKS))
        return min(wanted, MOST_BLOCK)

    def blocks(self, wanted: int) -> None:
        """Make the blocks of one pass, as far as there is time."""
        for _ in range(BLOCKS):
            if self.ended or (self.stretches and self.out_of_time):
                return
            self._block(wanted)

    def _block(self, wanted: int) -> None:
        skip = self._touched()
        affordable = int((self.end - self.clock()) / self.step_s) - skip
        before = self.environment.snapshot()
        rows = self._run(max(1, min(wanted, affordable)) + skip)
        after = self._rested()
        if rows[skip:]:  # several workers hand over in bursts, so that a median would be too short
            self.step_s = max(fmean(row.period for row in rows[skip:]), 1e-6)
        # The beginning of an epoch is rare, and no rest makes it faster.
        kept = (*(row for row in rows[:skip] if row.first), *rows[skip:])
        if kept:
            self.stretches.append(Stretch(kept, Window(before, after)))

    def _touched(self) -> int:
        """Return the steps after a rest that find batches which were made meanwhile."""
        found = self.found
        ahead = found.workers * (found.prefetch or PREFETCH)
        return min(ahead + 1, 2 * ceil(REST_S / self.step_s)) if found.workers else 0

    def settled(self, steps: int) -> bool:
        """Return whether the rate is known well, from enough steps that a calm machine made."""
        chosen = self.chosen()
        rows = _rows(chosen)
        known = rate(rows)
        return len(rows) >= steps and known is not None and half_width(known) <= WIDE and not self._contended(chosen)

    def chosen(self) -> list[Stretch]:
        """Return the blocks that a calm machine made, if they are at least a quarter; otherwise all."""
        calm = [one for one in self.stretches if not self._contended([one])]
        return calm if len(calm) >= max(1, len(self.stretches) / BLOCKS) else self.stretches

    def _contended(self, stretches: Sequence[Stretch]) -> bool:
        return contended(self._cpu_use(stretches))

    def _cpu_use(self, stretches: Sequence[Stretch]) -> CpuUse:
        windows = [one.window for one in stretches]
        return self.environment.cpu_use(windows, _rows(stretches), self.found)

    def told(self) -> tuple[tuple[StepRow, ...], tuple[Fact, ...]]:
        """Return the rows that count and their facts."""
        chosen, found = self.chosen(), self.found
        rows = _rows(chosen)
        if not rows:
            raise DlcheckError(f"no training step was made: {self.ended or 'none came'}")
        times = step_times(rows, found, startup_s=self.trial.startup_s)
        facts: tuple[Fact | None, ...] = (
            replace(times, calm_wait_share=calm_wait_share(rows, found)),
            loader_times(rows, found),
            self._cpu_use(chosen),
            self.environment.shared_memory(found),
            self._growth(),
        )
        return rows, tuple(fact for fact in facts if fact is not None)

    def _growth(self) -> MemoryGrowth | None:
        """Return whether memory grows: that of the device or, where only that does, of the training's processes."""
        device = [Sample(one.step, one.device) for one in self.memory if one.device is not None]
        host = common_samples([(one.step, one.processes) for one in self.memory])
        told = (
            growth(device, kind="device"),
            growth(host, kind="host", capacity=self.environment.memory_bytes),
        )
        known = [one for one in told if one is not None]
        return next((one for one in known if one.certain), known[0] if known else None)


def _rows(stretches: Sequence[Stretch]) -> tuple[StepRow, ...]:
    return tuple(row for one in stretches for row in one.rows)


def contended(cpu: CpuUse) -> bool:
    """Return whether other programs used the cores while this training waited for one, as the rules judge it.

    Threads and workers of its own that wait for each other are no such case: that is for the rules to say.
    """
    taken = others(cpu)
    return queued(cpu) >= LIMITS["queue"].value and taken is not None and taken >= LIMITS["others"].value
