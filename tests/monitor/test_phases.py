"""Where the time of a step goes: by clocks that are set, and in a loop that waits for its data."""

import time
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from dlcheck.monitor.phases import HostClock, Phases
from tests.monitor.loop import Loop


class Clock:
    """A clock that is set by hand; what it marks is known once it is asked to tell."""

    def __init__(self) -> None:
        self.now = 0.0
        self.silent = False

    def mark(self) -> float:
        return self.now

    def between(self, first: float, second: float) -> float | None:
        return None if self.silent else second - first


class Told:
    """Phases by a clock that is set, and what they told."""

    def __init__(self) -> None:
        self.clock, self.rows = Clock(), list[tuple[int, str, float]]()
        self.phases = Phases(self.clock, lambda *row: self.rows.append(row))

    def step(self, *spans: tuple[str, float], keep: bool = True) -> None:
        for phase, seconds in spans:
            self.phases.begin(phase)
            self.clock.now += seconds
            self.phases.end(phase)
        self.phases.step(keep)


def test_means_over_the_steps_that_were_kept() -> None:
    told = Told()
    told.step(("forward", 1.0), ("backward", 4.0))
    told.step(("forward", 100.0), ("backward", 100.0), keep=False)
    told.phases.waited(0.5)
    told.step(("forward", 2.0), ("forward", 1.0), ("backward", 2.0))
    told.phases.flush(3)
    assert sorted(told.rows) == [(3, "backward", 3.0), (3, "forward", 2.0), (3, "wait", 0.25)]
    told.phases.flush(4)
    assert len(told.rows) == 3


def test_what_never_began_never_ends_and_what_never_ends_is_dropped() -> None:
    told = Told()
    told.phases.end("forward")
    told.phases.begin("backward")
    told.clock.now += 5
    told.step(("optimizer", 1.0))
    told.phases.end("backward")
    told.step(("optimizer", 3.0))
    told.phases.flush(2)
    assert told.rows == [(2, "optimizer", 2.0)]


def test_a_device_that_has_not_come_so_far_is_not_waited_for() -> None:
    told = Told()
    told.clock.silent = True
    told.step(("forward", 1.0))
    told.step(("forward", 3.0))
    told.phases.flush(2)
    assert told.rows == []
    told.clock.silent = False
    told.phases.flush(3)
    assert told.rows == [(3, "forward", 2.0)]


def test_the_host_s_clock_runs() -> None:
    clock = HostClock()
    first = clock.mark()
    time.sleep(0.01)
    assert 0.01 <= (clock.between(first, clock.mark()) or 0.0) < 10


def test_waiting_is_seen_and_all_phases_fit_into_the_time_there_was() -> None:
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=0.01))

    def slow() -> Iterator[Tensor]:
        for _ in range(24):
            time.sleep(0.01)
            loop.monitor.batch(x := torch.randn(32, 64), 0.01)
            yield x

    begun = time.perf_counter()
    rows = loop.run(24, slow()).record.run().phases
    wall = time.perf_counter() - begun
    assert rows is not None
    means = rows.groupby("phase")["seconds"].mean()
    assert set(means.index) == {"wait", "forward", "backward", "optimizer"}
    assert means["wait"] == pytest.approx(0.01)
    assert (means > 0).all()
    assert means.sum() * 24 < 1.5 * wall
