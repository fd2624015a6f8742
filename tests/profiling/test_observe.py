"""Observing a training, played on a clock of its own, on a machine whose files a test writes."""

from dataclasses import replace
from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.profiling.observe import contended, observe
from dlcheck.profiling.rows import StepRow
from dlcheck.runs.facts import CpuUse, Fact, LoaderTimes, MemoryGrowth, SharedMemory, StepTimes
from tests.profiling.machine import Machine
from tests.profiling.played import Played, PlayedTrial

F = CpuUse | LoaderTimes | MemoryGrowth | SharedMemory | StepTimes


class Watched:
    """A trial on a machine, on which the clock moves with the steps."""

    def __init__(self, folder: Path, played: Played, *, ends_after: int | None = None) -> None:
        self.machine = Machine(folder)
        self.played = played
        self.others = [0.0]
        """Cores that other programs keep busy, block by block; the last one goes on."""
        self.leak = 0
        """Bytes a second."""
        self.trial = PlayedTrial(played, ends_after=ends_after, passes=self.passes)
        self.blocks = 0
        self.queue = played.queue
        """Waiting for a core in each step while others use them."""
        played.queue = 0.0

    def passes(self, seconds: float) -> None:
        index = min(self.blocks + 1, len(self.others) - 1)
        self.machine.pass_by(seconds, own=1.0, others=self.others[min(self.blocks, len(self.others) - 1)])
        memory = (1 << 28) + round(self.leak * (self.machine.now - 1000.0))
        self.machine.child(self.machine.own, memory=memory)
        self.blocks += 1
        self.played.queue = self.queue if self.others[index] else 0.0

    def observe(self, steps: int = 40, budget_s: float = 20.0) -> tuple[tuple[StepRow, ...], tuple[Fact, ...]]:
        self.played.queue = self.queue if self.others[0] else 0.0
        environment = self.machine.environment()
        return observe(self.trial, environment, steps, budget_s=budget_s, clock=lambda: self.machine.now)

    @property
    def spent(self) -> float:
        return self.machine.now - 1000.0


def of(facts: tuple[Fact, ...], kind: type[F]) -> F:
    return next(one for one in facts if isinstance(one, kind))


def test_a_calm_training_is_observed_for_one_pass_and_all_its_facts_are_told(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Played(workers=1, fetch=0.040))
    rows, facts = watched.observe()
    assert [type(one) for one in facts] == [StepTimes, LoaderTimes, CpuUse, SharedMemory, MemoryGrowth]
    times = of(facts, StepTimes)
    assert isinstance(times, StepTimes)
    assert times.startup_s == 0.3
    assert times.period_s == pytest.approx(0.041, rel=0.02)
    assert times.steps == len(rows) >= 40
    assert times.calm_wait_share == pytest.approx(sum(part.share for part in times.parts[:2]), abs=0.02)
    use = of(facts, CpuUse)
    assert isinstance(use, CpuUse)
    assert use.own_cores == pytest.approx(1.0, abs=0.05)
    assert use.others_cores == pytest.approx(0.0, abs=0.05)
    growth = of(facts, MemoryGrowth)
    assert isinstance(growth, MemoryGrowth)
    assert not growth.certain
    assert watched.spent < 5


def test_steps_that_found_batches_made_during_a_rest_are_left_out(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Played(workers=2, prefetch=2, fetch=0.08))
    rows, _ = watched.observe()
    made = sum(steps for steps, _ in watched.trial.asked)
    assert made - len(rows) == 8 + 5 + 3 * 4  # all that lie ready, until the step is known
    without = Watched(tmp_path / "other", Played(workers=0))
    rows, _ = without.observe()
    assert sum(steps for steps, _ in without.trial.asked) - len(rows) == 8


def test_short_steps_are_observed_for_long_enough_and_slow_ones_within_the_budget(tmp_path: Path) -> None:
    fast = Watched(tmp_path / "a", Played(workers=0, fetch=0, fetch_cpu=0, collate=0, forward=0.001, backward=0))
    rows, _ = fast.observe()
    assert len(rows) >= 4 * 60
    slow = Watched(tmp_path / "b", Played(workers=0, forward=1.0))
    rows, facts = slow.observe(budget_s=20)
    assert 8 <= len(rows) < 40
    assert slow.spent < 22
    glacial = Watched(tmp_path / "c", Played(workers=0, forward=30.0))
    rows, facts = glacial.observe(budget_s=20)
    assert len(rows) == 1
    assert of(facts, StepTimes)


def test_a_warm_up_that_takes_long_leaves_time_for_blocks(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Played(workers=0))
    compiled = watched.trial.passes
    watched.trial.passes = lambda seconds: compiled(seconds + (60.0 if watched.blocks == 0 else 0.0))
    rows, _ = watched.observe()
    assert len(rows) >= 40


def test_an_epoch_is_seen_to_begin_where_workers_start_then(tmp_path: Path) -> None:
    played = Played(workers=1, fetch=0.005, epoch_steps=150, epoch_start=0.5)
    watched = Watched(tmp_path, played)
    _, facts = watched.observe()
    times = of(facts, StepTimes)
    assert isinstance(times, StepTimes)
    assert times.epoch_starts >= 1
    assert times.epoch_start_s == pytest.approx(0.5, abs=0.05)
    assert times.startup_share == pytest.approx(0.5 / (0.5 + 150 * 0.0135), abs=0.03)
    steady = Watched(tmp_path / "other", Played(workers=1, fetch=0.005, epoch_steps=150, epoch_start=0.5))
    steady.trial.found = replace(steady.played.found, persistent=True)
    rows, _ = steady.observe()
    assert len(rows) < 150


def test_a_rate_that_is_not_well_known_is_observed_for_longer(tmp_path: Path) -> None:
    uneven = Watched(tmp_path, Played(workers=1, fetch=0.01, slow_every=30, slow=1.0))
    rows, _ = uneven.observe()
    assert len(rows) > 100
    assert 5 < uneven.spent < 25


def test_other_programs_on_the_cores_are_waited_for_and_their_blocks_left_out(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Played(workers=0, queue=0.02))
    watched.others = [2.0] * 7 + [0.0]
    rows, facts = watched.observe()
    use = of(facts, CpuUse)
    assert isinstance(use, CpuUse)
    assert watched.blocks > 7
    assert use.main_queue_share == 0
    assert use.others_cores == pytest.approx(0, abs=0.05)
    assert not contended(use)
    assert all(row.queue == 0 for row in rows)


def test_a_machine_that_stays_busy_is_told_as_such(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Played(workers=0, queue=0.02))
    watched.others = [2.0]
    _, facts = watched.observe()
    use = of(facts, CpuUse)
    assert isinstance(use, CpuUse)
    assert contended(use)
    assert use.others_cores == pytest.approx(2.0, abs=0.1)
    assert 15 < watched.spent < 25


def test_waiting_for_its_own_threads_is_no_reason_to_go_on(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Played(workers=0, queue=0.02))
    watched.others = [0.01]
    _, facts = watched.observe()
    use = of(facts, CpuUse)
    assert isinstance(use, CpuUse)
    assert use.main_queue_share is not None
    assert use.main_queue_share > 0.3
    assert not contended(use)
    assert watched.spent < 5


def test_memory_that_a_training_keeps_is_told(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "host", Played(workers=0))
    watched.leak = 100 << 20
    growth = of(watched.observe()[1], MemoryGrowth)
    assert isinstance(growth, MemoryGrowth)
    assert growth.certain
    assert growth.kind == "host"
    assert growth.bytes_per_step == pytest.approx(0.034 * watched.leak, rel=0.05)
    assert growth.capacity == 16_000_000 * 1024
    device = Watched(tmp_path / "device", Played(workers=0))
    device.trial.device_bytes = 1 << 30
    growth = of(device.observe()[1], MemoryGrowth)
    assert isinstance(growth, MemoryGrowth)
    assert (growth.kind, growth.certain, growth.bytes) == ("device", False, 1 << 30)


@pytest.mark.parametrize("ends_after", [1, 3, 6, 10, 20, 30])
def test_a_training_that_ends_soon_is_observed_as_far_as_it_goes(tmp_path: Path, ends_after: int) -> None:
    watched = Watched(tmp_path, Played(workers=0), ends_after=ends_after)
    rows, facts = watched.observe()
    assert len(rows) == (ends_after if ends_after <= 8 else ends_after - 8)
    times = of(facts, StepTimes)
    assert isinstance(times, StepTimes)
    assert sum(part.share for part in times.parts) == pytest.approx(1)


def test_a_training_without_a_step_is_refused_in_one_line(tmp_path: Path) -> None:
    watched = Watched(tmp_path, Played(workers=0), ends_after=0)
    with pytest.raises(DlcheckError, match="no training step was made: finished"):
        watched.observe()
