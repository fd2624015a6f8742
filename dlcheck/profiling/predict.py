"""How long a step would take with another number of workers, told from one observed run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

from dlcheck.profiling.found import Found
from dlcheck.profiling.parts import steady
from dlcheck.profiling.queue_model import PREFETCH, Pipeline
from dlcheck.profiling.rows import BatchRow, StepRow
from dlcheck.runs.facts import CpuUse

if TYPE_CHECKING:
    from dlcheck.profiling.handover import HandOver

SATURATED = 0.85
"""Of the cores: where loading and computing want more, times depend on who gets a core, and are measured instead."""
MISSED = 0.10
"""A model that misses the present setting by more says nothing about others."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A step with another number of workers."""

    workers: int
    step_s: float | None
    """None: it cannot be told."""
    least_s: float
    """It takes no less than this, whoever gets the cores."""
    why: str = ""
    """Why it cannot be told, in words."""


@dataclass(frozen=True, slots=True)
class Predictor:
    """What one observed run tells of others of the same training."""

    pipeline: Pipeline
    observed_s: float
    """Mean length of an observed step."""
    workers: int
    prefetch: int
    in_order: bool
    cores: float
    making_cpu: float
    """Core seconds that loading takes a step."""
    computing_cpu: float
    queue_share: float = 0.0
    """Of the observed time, that went into waiting for a core."""

    def step(self, workers: int, *, prefetch: int | None = None, in_order: bool | None = None) -> Prediction:
        """Predict a step with this many workers; the rest stays as it is where it is not given."""
        prefetch = prefetch or self.prefetch
        ordered = self.in_order if in_order is None else in_order
        modelled = self.pipeline.step_s(workers, prefetch=prefetch, in_order=ordered)
        least = self._least(workers)
        why = self._doubt(workers, modelled)
        return Prediction(workers, None if why else max(modelled, least), least, why)

    def curve(self, most: int) -> tuple[Prediction, ...]:
        """Return the predictions for 0, 1, … ``most`` workers."""
        return tuple(self.step(workers) for workers in range(most + 1))

    @property
    def miss(self) -> float:
        """Return the error for the present setting, relative to what was observed."""
        modelled = self.pipeline.step_s(self.workers, prefetch=self.prefetch, in_order=self.in_order)
        return modelled / self.observed_s - 1 if self.observed_s > 0 else 0.0

    def _least(self, workers: int) -> float:
        making, computing = fmean(self.pipeline.making), fmean(self.pipeline.computing)
        if workers == 0:
            return making + computing
        busy = (self.making_cpu + self.computing_cpu) / self.cores
        return max((making + self.pipeline.send) / workers, computing + self.pipeline.get, busy)

    def _doubt(self, workers: int, modelled: float) -> str:
        if self.queue_share > MISSED:
            return f"{self.queue_share:.0%} of the observed time went into waiting for a core"
        if abs(self.miss) > MISSED:
            return f"the model misses the present setting by {self.miss:+.0%}"
        wanted = (self.making_cpu + self.computing_cpu) / modelled if modelled > 0 else 0.0
        if workers > 0 and wanted > SATURATED * self.cores:
            return f"loading and computing want {wanted:.1f} of {self.cores:g} cores at the same time"
        return ""


def learn(rows: Sequence[StepRow], found: Found, cpu: CpuUse, *, handed: HandOver | None = None) -> Predictor | None:
    """Learn from an observed run what other numbers of workers would do; None where the loader hides its work.

    Times in which a process waited for a core are taken off: how many cores are wanted is judged apart.

    Args:
        rows: steps in order.
        found: what the child found out about the training.
        cpu: cores that there are and, where measured, those that this training keeps busy.
        handed: what it takes to hand a batch over. With workers the rows tell; without, it counts as nothing
            where it is None, so that predictions for workers come out a little too fast.
    """
    kept = steady(rows)
    if not kept or found.kind == "opaque":
        return None
    making, making_cpu = _making(kept, found)
    if not making:
        return None
    computing = _computing(kept)
    observed = fmean(row.period for row in kept)
    return Predictor(
        pipeline=_pipeline(making, computing, kept, handed=handed, found=found),
        observed_s=observed,
        workers=found.workers,
        prefetch=found.prefetch or PREFETCH,
        in_order=found.in_order,
        cores=max(cpu.cores, 1e-3),
        making_cpu=making_cpu,
        computing_cpu=_computing_cpu(fmean(computing), observed, making_cpu, cpu=cpu, found=found),
        queue_share=fmean(row.queue for row in kept) / observed if observed > 0 else 0.0,
    )


def calm_wait_share(rows: Sequence[StepRow], found: Found) -> float | None:
    """Return the share of a step in which the batch was not there, had no process waited for a core.

    The pipeline is played through with the times of making and computing without that waiting. On a busy machine
    the measured share can be far off to either side: waiting in the computation hides a slow loader, and waiting in
    a worker makes a fast one slow. None where the loader hides its work.
    """
    kept = steady(rows)
    making, _ = _making(kept, found) if kept and found.kind != "opaque" else ((), 0.0)
    if not making:
        return None
    computing = _computing(kept)
    # A batch that is ready comes late as well where its worker waits for a core to send it: only work counts.
    pipeline = Pipeline(making, computing, median(row.take for row in kept))
    step = pipeline.step_s(found.workers, prefetch=found.prefetch or PREFETCH, in_order=found.in_order)
    return min(max(1 - fmean(computing) / step, 0.0), 1.0) if step > 0 else None


def _computing(kept: Sequence[StepRow]) -> tuple[float, ...]:
    """Return the seconds of each step beside the request for its batch, without waiting for a core."""
    return tuple(max(row.period - (row.got - row.asked) - (row.queue - row.next_queue), 0.0) for row in kept)


def _making(kept: Sequence[StepRow], found: Found) -> tuple[tuple[float, ...], float]:
    """Return the seconds of each batch, and the core seconds of one."""
    made = [row.batch for row in kept if row.batch is not None]
    if found.workers == 0:
        seconds = tuple(max(row.got - row.asked - row.next_queue, 0.0) for row in kept)
        return seconds, fmean(row.take for row in kept)
    if not made:
        return (), 0.0
    return tuple(_alone(batch) for batch in made), fmean(batch.fetch_cpu + batch.collate_cpu for batch in made)


def _alone(batch: BatchRow) -> float:
    return max(batch.ready - batch.began - batch.fetch_queue - batch.collate_queue, 0.0)


def _pipeline(
    making: tuple[float, ...],
    computing: tuple[float, ...],
    kept: Sequence[StepRow],
    *,
    handed: HandOver | None,
    found: Found,
) -> Pipeline:
    if found.workers:
        return Pipeline(making, computing, _get(kept))
    return Pipeline(making, computing, handed.get_s, handed.send_s) if handed else Pipeline(making, computing)


def _get(kept: Sequence[StepRow]) -> float:
    """Return what it takes to get a batch that is ready; the main process's own work where none ever was."""
    ready = [row for row in kept if row.batch is not None and row.batch.ready <= row.asked]
    if ready:
        return median(max(row.got - row.asked - row.next_queue, 0.0) for row in ready)
    return median(row.take for row in kept)


def _computing_cpu(computing: float, period: float, making_cpu: float, *, cpu: CpuUse, found: Found) -> float:
    """Return the core seconds of a step's computation: of all that was measured, what is not loading.

    Unmeasured, all threads of a CPU count as busy, and one that feeds another device.
    """
    if cpu.own_cores is not None:
        return max(cpu.own_cores * period - making_cpu, 0.0)
    threads = max(found.threads, 1) if found.device == "cpu" else 1
    return computing * min(threads, max(cpu.cores, 1.0))
