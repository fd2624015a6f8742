"""What timing a training costs: ``python -m tests.benchmarks.profile_overhead``.

The same steps of about two milliseconds are made in turns of forty, in one process: plain, under the hooks of a
profiled script, and under ``torch.profiler``. Printed are ratios of CPU time to that of the plain turns, which other
programs on the machine disturb little, with the interval that holds 95 % of medians drawn anew; and the microseconds a
step that the hooks take by themselves, and the wrappers in a worker take by sample and by batch.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from dlcheck.profiling.loader_hooks import LoaderHooks
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.settings import Subject, TrialSettings
from dlcheck.profiling.stamps import StampedCollate, StampedData
from dlcheck.profiling.step_hooks import LEARNING, StepHooks

TURN = 40
"""Steps of a turn."""
STEP_S = 0.002


class Cached(Dataset[Any]):
    """Samples that cost next to nothing, so that what is added stands out."""

    def __init__(self, samples: int) -> None:
        self.x = torch.randn(samples, 3, 16, 16)

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.x[index], index % 10


class Training:
    """A small network of 16 modules, whose step takes about two milliseconds of one core."""

    def __init__(self, channels: int, loader: DataLoader[Any]) -> None:
        torch.manual_seed(0)
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 3, padding=1), nn.ReLU()]
        for _ in range(4):
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * 256, 10))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-3, momentum=0.9)
        self.loader = loader

    def steps(self, after: Callable[[], None]) -> None:
        """Train for one pass over the loader, calling something after each step."""
        for x, y in self.loader:
            self.optimizer.zero_grad()
            loss = functional.cross_entropy(self.model(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            after()


def cpu_of(training: Training, around: Callable[[], AbstractContextManager[object]]) -> float:
    """Return the CPU seconds of a turn, the first steps of it left out."""
    marks: list[float] = []
    with around():
        training.steps(lambda: marks.append(time.process_time()))
    return marks[-1] - marks[LEARNING]


@contextmanager
def timed() -> Iterator[None]:
    """Hook a training as ``dlcheck profile-gpu`` hooks a script."""
    meter = Meter(lambda meter: None)
    meter.wanted, meter.active = 1_000_000, True
    hooks, steps = LoaderHooks(TrialSettings(Subject("script", "overhead"))), StepHooks(meter)
    hooks.meter = meter
    hooks.install()
    steps.install()
    try:
        yield
    finally:
        steps.remove()
        hooks.remove()


def profiler() -> AbstractContextManager[object]:
    """Return PyTorch's profiler as its documentation has it for a CPU."""
    return torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])


def fitting(loader: DataLoader[Any]) -> Training:
    """Return a training whose step takes about ``STEP_S``."""
    for channels in (4, 6, 8, 12, 16, 24, 32):
        training = Training(channels, loader)
        training.steps(lambda: None)
        if cpu_of(training, nullcontext) / (TURN - LEARNING - 1) >= STEP_S:
            break
    return training


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """Return the median of ratios and the ends of its 95 % interval (percentile bootstrap)."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(2000))
    return statistics.median(ratios), medians[50], medians[1949]


def compare(rounds: int) -> None:
    """Make turns, and print ratios."""
    loader: DataLoader[Any] = DataLoader(Cached(TURN * 8), batch_size=8)
    training = fitting(loader)
    ways: dict[str, Callable[[], AbstractContextManager[object]]] = {"dlcheck": timed, "torch.profiler": profiler}
    ratios: dict[str, list[float]] = {name: [] for name in ways}
    plain: list[float] = []
    for turn in range(rounds):
        for name, around in sorted(ways.items(), reverse=bool(turn % 2)):
            before = cpu_of(training, nullcontext)
            made = cpu_of(training, around)
            after = cpu_of(training, nullcontext)
            plain += [before, after]
            ratios[name].append(2 * made / (before + after))
    print(f"plain step: {1e3 * statistics.median(plain) / (TURN - LEARNING - 1):.2f} ms of CPU, {rounds} rounds")
    for name, found in ratios.items():
        median, low, high = interval(found)
        print(f"{name:>15}: {median:.4f} [{low:.4f}, {high:.4f}] of the plain CPU time")


def least(function: Callable[[], object], repeats: int = 30) -> float:
    """Return the least CPU seconds of a call, which other programs cannot make smaller."""
    found = []
    for _ in range(repeats):
        began = time.thread_time()
        for _ in range(20):
            function()
        found.append((time.thread_time() - began) / 20)
    return min(found)


def alone() -> None:
    """Print what hooks and wrappers take where there is nothing to time."""
    meter = Meter(lambda meter: None)
    meter.wanted, meter.active = 1_000_000, True

    def step() -> None:
        meter.ask(1)
        meter.got(8)
        for phase in (1, 2, 3):
            meter.begin(phase)
            meter.end(phase)

    print(f"a step in the main process: {1e6 * least(step):.1f} us")
    data, indices = list(range(64)), list(range(64))
    stamped, collate = StampedData(data), StampedCollate(lambda samples: samples)
    whole = least(lambda: collate(stamped.__getitems__(indices))) - least(lambda: [data[i] for i in indices])
    few = least(lambda: collate(stamped.__getitems__([0]))) - least(lambda: [data[0]])
    print(f"a batch in a worker: {1e6 * few:.1f} us, and {1e6 * (whole - few) / 63:.2f} us a sample")


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=30)
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it writes to standard error where there is no GPU
    torch.set_num_threads(1)
    alone()
    compare(parser.parse_args().rounds)


if __name__ == "__main__":
    main()
