"""A machine with cores, loaders and trainings on it, and a clock that passes only as they work."""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field, replace

from dlcheck.errors import DlcheckError
from dlcheck.profiling.candidates import Known
from dlcheck.profiling.found import Found
from dlcheck.profiling.paired import step_cost
from dlcheck.profiling.predict import learn
from dlcheck.profiling.rows import BatchRow, StepRow
from dlcheck.profiling.settings import Block, Subject, TrialSettings
from dlcheck.runs.facts import CpuUse, LoaderSetting

BASE = TrialSettings(Subject("script", "train.py"))
START_S = 4.0
"""Seconds that a child takes to start."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a training asks of its machine. Seconds."""

    cores: float = 2.0
    io: float = 0.0
    """Of a batch: waiting for a disk."""
    cpu: float = 0.0
    """Of a batch: work of the process that makes it."""
    device: float = 0.0
    """Of a step: on an accelerator."""
    compute: float = 0.0
    """Of a step: on a core."""
    get: float = 0.001
    """Core time of the main process to take a batch from a worker."""
    spread: float = 0.0
    """Standard deviation of the logarithm of a batch's time."""
    slow: float = 0.0
    """Share of batches that take four times as long."""
    noise: float = 0.0
    """Standard deviation of the logarithm of a whole block's time."""
    drift: float = 0.0
    """Amplitude of the machine's speed over minutes, on a logarithmic scale."""
    epoch: int | None = None
    epoch_start: float = 0.0
    """Seconds to start workers that do not persist."""


@dataclass(slots=True)
class Task:
    """Something a process does: first wait, then work on a core."""

    io: float
    cpu: float
    began: float = 0.0
    work: float = 0.0
    worked: float = 0.0
    """Moments on a core, shared ones counted whole."""


@dataclass(slots=True)
class Machine:
    """Processor sharing among all that want a core at once."""

    cores: float
    now: float = 0.0
    tasks: dict[object, Task] = field(default_factory=dict)

    def begin(self, name: object, io: float, cpu: float) -> None:
        """Let a process wait and work."""
        self.tasks[name] = Task(io, cpu, self.now, cpu)

    def advance(self) -> list[tuple[object, Task]]:
        """Go on until something ends, and return what did."""
        working = [task for task in self.tasks.values() if task.io <= 0]
        rate = min(1.0, self.cores / len(working)) if working else 1.0
        step = min(task.io if task.io > 0 else task.cpu / rate for task in self.tasks.values())
        self.now += step
        for task in self.tasks.values():
            if task.io > 0:
                task.io = max(task.io - step, 0.0) if task.io - step > 1e-12 else 0.0
            else:
                task.cpu = task.cpu - step * rate if task.cpu - step * rate > 1e-12 else 0.0
                task.worked += step
        ended = [(name, task) for name, task in self.tasks.items() if task.io <= 0 and task.cpu <= 0]
        for name, _ in ended:
            del self.tasks[name]
        return ended


class Simulation:
    """One training on one machine; ``rows`` makes steps."""

    def __init__(self, load: Workload, setting: LoaderSetting, seed: int) -> None:
        self.load, self.random = load, random.Random(seed)
        self.workers = setting.workers or 0
        self.ahead = self.workers * (setting.prefetch or 2)
        self.in_order = setting.in_order is not False
        self.persistent = bool(setting.persistent)
        self.machine = Machine(load.cores)
        self.taken = 0
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        for name in [name for name in self.machine.tasks if isinstance(name, int)]:
            del self.machine.tasks[name]
        self.queues: list[deque[int]] = [deque() for _ in range(self.workers)]
        self.ready: dict[int, BatchRow] = {}
        self.maker: dict[int, int] = {}
        self.doing: list[int | None] = [None] * self.workers
        self.told = self.wanted = 0
        self.next = 0
        for index in range(self.ahead):
            self._tell(index % self.workers)

    def fill(self) -> None:
        """Let workers make all that they may while the main process rests."""
        while any(isinstance(name, int) for name in self.machine.tasks):
            self._advance()

    def _tell(self, worker: int) -> None:
        if self.load.epoch is not None and self.told >= self.load.epoch:
            return
        self.queues[worker].append(self.told)
        self.maker[self.told] = worker
        self.told += 1
        self._work(worker)

    def _work(self, worker: int) -> None:
        if self.doing[worker] is None and self.queues[worker]:
            self.doing[worker] = self.queues[worker].popleft()
            self.machine.begin(worker, *self._making())

    def _making(self) -> tuple[float, float]:
        factor = math.exp(self.random.gauss(0, self.load.spread)) * (4 if self.random.random() < self.load.slow else 1)
        return self.load.io * factor, self.load.cpu * factor

    def _advance(self) -> Task | None:
        """Go on until something ends; return the main process's task if it was that."""
        main = None
        for name, task in self.machine.advance():
            if name == "main":
                main = task
            elif isinstance(name, int):
                index = self.doing[name]
                assert index is not None
                self.ready[index] = self._batch(task)
                self.doing[name] = None
                self._work(name)
        return main

    def _batch(self, task: Task) -> BatchRow:
        end = self.machine.now
        return BatchRow(1, task.began, end, end, fetch_cpu=task.work, fetch_queue=task.worked - task.work)

    def _main(self, io: float, cpu: float) -> Task:
        self.machine.begin("main", io, cpu)
        while (task := self._advance()) is None:
            pass
        return task

    def step(self) -> StepRow:
        """Make one step."""
        load, machine = self.load, self.machine
        asked, first = machine.now, False
        if load.epoch is not None and self.taken and self.taken % load.epoch == 0:
            first = True
            self._begin_epoch()
            if self.workers and not self.persistent:
                self._main(load.epoch_start, 0.0)
        batch, taking = self._take()
        got = machine.now
        using = self._main(load.device, load.compute)
        self.taken += 1
        queue = taking.worked - taking.work
        return StepRow(
            asked=asked,
            got=got,
            stepped=machine.now,
            ended=machine.now,
            next_cpu=taking.work,
            next_queue=queue,
            queue=queue + using.worked - using.work,
            copy=0.0,
            forward=machine.now - got,
            backward=0.0,
            optimizer=0.0,
            samples=8,
            epoch=self.taken // load.epoch if load.epoch else 0,
            first=first,
            batch=batch,
        )

    def _take(self) -> tuple[BatchRow, Task]:
        if self.workers == 0:
            task = self._main(*self._making())
            return self._batch(task), task
        while (index := self._available()) is None:
            self._advance()
        batch = self.ready.pop(index)
        self.next += 1
        task = self._main(0.0, self.load.get)
        self._tell(self.told % self.workers if self.in_order else self.maker[index])
        return batch, task

    def _available(self) -> int | None:
        if self.in_order:
            return self.next if self.next in self.ready else None
        return min(self.ready, default=None)


def true_step(load: Workload, setting: LoaderSetting, *, steps: int = 240) -> float:
    """Return the mean seconds of a step in the long run, nothing else going on."""
    simulation = Simulation(load, setting, seed=1)
    filling = simulation.ahead + 1
    rows = [simulation.step() for _ in range(steps + filling)]
    return sum(row.period for row in rows[filling:]) / steps


class World:
    """Starts trials of one workload, on a clock of its own."""

    def __init__(self, load: Workload, user: LoaderSetting, seed: int = 0) -> None:
        self.load, self.user, self.random = load, user, random.Random(seed)
        self.now = 0.0
        self.alive: list[FakeTrial] = []
        self.started: list[LoaderSetting] = []
        self.most_alive = 0
        self.refuse: dict[int | None, str] = {}
        """Error of a start, by number of workers."""
        self.die: dict[int | None, str] = {}
        """Error of every block, by number of workers."""
        self.last: int | None = None
        """Steps after which a training ends of its own."""

    def clock(self) -> float:
        """Return the seconds that have passed."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Let seconds pass."""
        self.now += seconds

    def start(self, settings: TrialSettings) -> FakeTrial:
        """Start a child."""
        self.now += START_S
        self.started.append(settings.loader)
        if settings.loader.workers in self.refuse:
            raise DlcheckError(self.refuse[settings.loader.workers])
        trial = FakeTrial(self, settings)
        self.alive.append(trial)
        self.most_alive = max(self.most_alive, len(self.alive))
        return trial

    def setting(self, changed: LoaderSetting) -> LoaderSetting:
        """Return a setting with what it leaves as the user has it."""
        names = ("workers", "prefetch", "persistent", "in_order")
        given = {name: getattr(changed, name) for name in names if getattr(changed, name) is not None}
        return replace(self.user, **given)

    def speed(self) -> float:
        """Return by how much the machine is slower just now."""
        wave = math.sin(self.now / 30) * self.load.drift
        return math.exp(wave + self.random.gauss(0, self.load.noise))


class FakeTrial:
    """A child that exists only in a world's time."""

    def __init__(self, world: World, settings: TrialSettings) -> None:
        self.world, self.settings, self.startup_s = world, settings, 0.5
        self.simulation = Simulation(world.load, world.setting(settings.loader), seed=world.random.randrange(10**6))
        self.closed = False
        self.made = 0

    def run(self, steps: int, *, skip: int = 0) -> Block:
        """Make steps."""
        assert not self.closed
        if self.settings.loader.workers in self.world.die:
            raise DlcheckError(self.world.die[self.settings.loader.workers])
        left = steps + skip if self.world.last is None else min(self.world.last - self.made, steps + skip)
        self.simulation.fill()
        began, factor = self.simulation.machine.now, self.world.speed()
        rows = [self.simulation.step() for _ in range(left)]
        self.made += left
        self.world.now += (self.simulation.machine.now - began) * factor
        kept = tuple(scaled(row, factor) for row in rows[skip:])
        return Block(kept, ended="" if left == steps + skip else "finished")

    def close(self) -> None:
        """End."""
        self.closed = True
        if self in self.world.alive:
            self.world.alive.remove(self)


def draw(seed: int) -> tuple[Workload, LoaderSetting]:
    """Return a random training, and how its user has set the loader."""
    rng = random.Random(seed)
    cores = rng.choice([2, 2, 4, 8])
    kind = rng.choice(["io", "cpu", "mixed", "compute", "cheap", "uneven"])
    step = 10 ** rng.uniform(-2, -0.7) if kind != "cheap" else 0.004
    making = step * 10 ** rng.uniform(-0.7, 0.8)
    io, cpu = {
        "io": (making, 0.05 * making),
        "cpu": (0.0, making),
        "mixed": (making / 2, making / 2),
        "compute": (0.0, 0.05 * step),
        "cheap": (0.0, 0.0005),
        "uneven": (0.6 * making, 0.0),
    }[kind]
    accelerated = rng.random() < 0.5
    load = Workload(
        cores=float(cores),
        io=io,
        cpu=cpu,
        device=step if accelerated else 0.0,
        compute=0.0 if accelerated else step,
        get=0.003 if kind == "cheap" else 0.001,
        spread=rng.uniform(0, 0.3),
        slow=0.25 if kind == "uneven" else 0.0,
        noise=rng.choice([0.0, 0.02, 0.05]),
        drift=rng.choice([0.0, 0.1, 0.2]),
    )
    workers = rng.choice([0, 0, 1, 2, cores, 2 * cores])
    return load, LoaderSetting(workers=workers, prefetch=2 if workers else None, persistent=True)


def observed(world: World, *, steps: int = 80) -> Known:
    """Return what one observed run of the user's setting tells, as a profile learns it."""
    trial = world.start(BASE)
    rows = trial.run(steps, skip=12).rows
    trial.close()
    world.started.clear()
    found = found_of(world.user, world.load)
    return Known(
        found=found,
        cores=world.load.cores,
        period_s=step_cost(rows, found.steps_per_epoch),
        forecast=learn(rows, found, CpuUse(world.load.cores, 1, found.workers, 1)),
        ideal_s=(world.load.device + world.load.compute) * world.speed(),
        slow_share=0.5 if world.load.slow else 0.0,
    )


def scaled(row: StepRow, factor: float) -> StepRow:
    """Return a step on a machine that is slower by a factor."""
    names = ("asked", "got", "stepped", "ended", "next_cpu", "next_queue", "queue", "forward")
    batch = row.batch
    if batch is not None:
        parts = ("began", "fetched", "ready", "fetch_cpu", "fetch_queue")
        batch = replace(batch, **{name: getattr(batch, name) * factor for name in parts})
    return replace(row, batch=batch, **{name: getattr(row, name) * factor for name in names})


def found_of(user: LoaderSetting, load: Workload) -> Found:
    """Return what a child would find out."""
    workers = user.workers or 0
    return Found(
        kind="workers" if workers else "main",
        device="cpu",
        workers=workers,
        batch_size=8,
        prefetch=user.prefetch if workers else None,
        persistent=bool(user.persistent),
        steps_per_epoch=load.epoch,
        batch_bytes=1000,
        samples=8 * (load.epoch or 10**6),
    )
