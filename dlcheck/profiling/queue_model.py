"""A pipeline of loader workers and one training process, played through on a clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

PREFETCH = 2
"""Batches that a worker makes ahead where nothing else is said (``torch.utils.data.DataLoader``)."""
STEPS = 240
"""Steps that are played through, the filling of the pipeline left out."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What the speed of a training depends on, as long as every process has a core when it wants one. Seconds."""

    making: tuple[float, ...]
    """Of each observed batch: how long one worker, or the main process without workers, made it."""
    computing: tuple[float, ...]
    """Of each observed step: all but the request for its batch."""
    get: float = 0.0
    """Work of the main process to get a batch that a worker has ready."""
    send: float = 0.0
    """Of a worker to hand a batch over, beside making it."""

    def step_s(self, workers: int, *, prefetch: int = PREFETCH, in_order: bool = True) -> float:
        """Return the mean length of a step with this many workers.

        Without workers making and computing add up. With workers the pipeline is played through, batch by batch:
        a worker begins its next batch when it has ended the last and was told to, which happens whenever a batch is
        taken. So a slow batch holds up those behind it as far as ``prefetch`` does not cover it. The observed
        times come again and again in the order in which they were observed.
        """
        if workers <= 0:
            return sum(self.making) / len(self.making) + sum(self.computing) / len(self.computing)
        filling = workers * prefetch + 1
        count = STEPS + filling
        making = [self.send + one for one in islice(cycle(self.making), count)]
        using = [self.get + one for one in islice(cycle(self.computing), count)]
        play = _ordered if in_order else _unordered
        ends = play(making, using, self.get, (workers, prefetch))
        return (ends[-1] - ends[filling - 1]) / STEPS


def _ordered(making: Sequence[float], using: Sequence[float], get: float, sizes: tuple[int, int]) -> list[float]:
    """Return the moment at which each step ends when batches are taken in the order of their indices."""
    workers, prefetch = sizes
    ahead = workers * prefetch
    free = [0.0] * workers
    told = [0.0] * min(ahead, len(making))
    now = 0.0
    ends: list[float] = []
    ready: list[float] = []
    for index in range(len(making)):
        while len(ready) < len(told):  # batches that were asked for by now, each of the worker whose turn it is
            worker = len(ready) % workers
            free[worker] = max(free[worker], told[len(ready)]) + making[len(ready)]
            ready.append(free[worker])
        got = max(now, ready[index]) + get
        if len(told) < len(making):
            told.append(got)
        now = got - get + using[index]
        ends.append(now)
    return ends


def _unordered(making: Sequence[float], using: Sequence[float], get: float, sizes: tuple[int, int]) -> list[float]:
    """Return the same when the batch that is ready first is taken first; its worker is told the next."""
    workers, prefetch = sizes
    free = [0.0] * workers
    waiting: list[tuple[float, int]] = []
    told = 0

    def tell(worker: int, moment: float) -> None:
        nonlocal told
        if told < len(making):
            free[worker] = max(free[worker], moment) + making[told]
            waiting.append((free[worker], worker))
            told += 1

    for index in range(workers * prefetch):
        tell(index % workers, 0.0)
    now = 0.0
    ends: list[float] = []
    for use in using:
        ready, worker = min(waiting)
        waiting.remove((ready, worker))
        begun = max(now, ready)
        tell(worker, begun + get)
        now = begun + use
        ends.append(now)
    return ends
