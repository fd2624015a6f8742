"""Trainings played on a clock of their own: rows as a child would record them, exact and without a wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from itertools import count
from random import Random
from typing import Any, TypeVar

from dlcheck.profiling.found import Found
from dlcheck.profiling.rows import BatchRow, StepRow
from dlcheck.profiling.settings import Block, Subject, TrialSettings


@dataclass
class Played:
    """A training whose times are given; seconds, those of a batch or step before ``jitter``."""

    workers: int = 0
    prefetch: int = 2
    fetch: float = 0.020
    fetch_cpu: float = 0.020
    collate: float = 0.001
    slow_every: int = 0
    slow: float = 0.0
    get: float = 0.0005
    copy: float = 0.0
    forward: float = 0.004
    backward: float = 0.007
    optimizer: float = 0.001
    inside: float = 0.0005
    outside: float = 0.0005
    queue: float = 0.0
    """Waiting for a core, in each step's computation."""
    epoch_steps: int = 10**9
    epoch_start: float = 0.0
    batch: int = 16
    jitter: float = 0.05
    seed: int = 0
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.now = 100.0
        self.made = count()
        self.taken = 0
        self.epoch_begins()

    def epoch_begins(self) -> None:
        self.free = [self.now + self.epoch_start] * max(self.workers, 1)
        self.ready: list[BatchRow] = []
        for _ in range(self.workers * self.prefetch):
            self.tell(self.now)

    def near(self, seconds: float) -> float:
        return seconds * self.random.uniform(1 - self.jitter, 1 + self.jitter)

    def make(self, began: float, pid: int) -> BatchRow:
        number = next(self.made)
        slow = self.slow if self.slow_every and number % self.slow_every == self.slow_every - 1 else 0.0
        fetch, collate = self.near(self.fetch) + slow, self.near(self.collate)
        cpu = self.fetch_cpu / self.fetch if self.fetch else 0.0
        return BatchRow(
            pid=pid,
            began=began,
            fetched=began + fetch,
            ready=began + fetch + collate,
            fetch_cpu=(fetch - slow) * cpu,
            collate=collate,
            collate_cpu=collate,
            items=self.batch,
            longest=max(slow, self.fetch / self.batch),
            slow=slow,
            median=self.fetch / self.batch,
            transforms=(("Resize", 0.25 * fetch), ("Flip", 0.5 * fetch)),
        )

    def tell(self, moment: float) -> None:
        worker = len(self.ready) % self.workers
        batch = self.make(max(self.free[worker], moment), 100 + worker)
        self.free[worker] = batch.ready
        self.ready.append(batch)

    def step(self) -> StepRow:
        first = self.taken % self.epoch_steps == 0
        epoch = self.taken // self.epoch_steps
        asked = self.now
        if first and self.taken:
            self.epoch_begins()
        index = self.taken % self.epoch_steps
        if self.workers:
            batch = self.ready[index]
            got = max(asked, batch.ready) + self.get
            cpu = self.get
            self.tell(got)
        else:
            batch = self.make(asked + (self.epoch_start if first else 0.0), 1)
            got, cpu = batch.ready, batch.fetch_cpu + batch.collate_cpu
        copy, forward, backward, optimizer, inside, outside = (
            self.near(one)
            for one in (self.copy, self.forward, self.backward, self.optimizer, self.inside, self.outside)
        )
        stepped = got + copy + forward + backward + optimizer + inside + self.queue
        self.now = stepped + outside
        self.taken += 1
        return StepRow(
            asked=asked,
            got=got,
            stepped=stepped,
            ended=self.now,
            next_cpu=cpu,
            next_queue=0.0,
            queue=self.queue,
            copy=copy,
            forward=forward,
            backward=backward,
            optimizer=optimizer,
            samples=self.batch,
            epoch=epoch,
            first=first,
            batch=batch,
        )

    def steps(self, number: int, skip: int = 0) -> list[StepRow]:
        return [self.step() for _ in range(skip + number)][skip:]

    @property
    def found(self) -> Found:
        return Found(
            kind="workers" if self.workers else "main",
            workers=self.workers,
            prefetch=self.prefetch if self.workers else None,
            batch_size=self.batch,
            batch_bytes=self.batch * 1000,
            steps_per_epoch=None if self.epoch_steps == 10**9 else self.epoch_steps,
            stamped=True,
            optimizer="SGD",
        )


class PlayedTrial:
    """A ``Trial`` of such a training, which keeps what it was asked for."""

    def __init__(
        self, played: Played, *, ends_after: int | None = None, passes: Callable[[float], None] = lambda _: None
    ) -> None:
        self.played = played
        self.settings = TrialSettings(Subject("script", "train.py"))
        self.startup_s = 0.3
        self.found: Found | None = played.found
        self.asked: list[tuple[int, int]] = []
        self.left = ends_after
        self.passes = passes
        """Told how long a block took."""
        self.device_bytes: int | None = None

    def run(self, steps: int, *, skip: int = 0) -> Block:
        self.asked.append((steps, skip))
        began = self.played.now
        rows = self.played.steps(steps, skip)
        self.passes(self.played.now - began)
        if self.left is not None:
            rows = rows[: self.left]
            self.left -= len(rows)
        return Block(tuple(rows), ended="finished" if len(rows) < steps else "", device_bytes=self.device_bytes)

    def close(self) -> None:
        self.left = 0


def scaled(row: StepRow, k: float) -> StepRow:
    """Return a step in which everything takes ``k`` times as long."""
    batch = row.batch and replace(
        _times(row.batch, k, without=("pid", "items")),
        transforms=tuple((name, k * seconds) for name, seconds in row.batch.transforms),
    )
    device = row.device and (k * row.device[0], k * row.device[1], k * row.device[2], k * row.device[3])
    return replace(_times(row, k, without=("samples", "epoch", "first")), batch=batch, device=device)


T = TypeVar("T", BatchRow, StepRow)


def _times(row: T, k: float, *, without: tuple[str, ...]) -> T:
    numbers = {one.name: getattr(row, one.name) for one in fields(row) if one.name not in without}
    longer: dict[str, Any] = {name: k * value for name, value in numbers.items() if isinstance(value, float)}
    return replace(row, **longer)
