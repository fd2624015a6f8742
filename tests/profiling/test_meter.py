"""Steps of a made-up training on a made-up clock: what belongs to which part."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.profiling import meter as metering
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.rows import BatchRow, StepRow
from dlcheck.profiling.scheduling import RunQueue
from dlcheck.profiling.stepping import BACKWARD, COPY, FORWARD, OPTIMIZER


class Clock:
    """Goes only when told to; half of all time is spent on a core, a tenth waiting for one."""

    def __init__(self) -> None:
        self.now = 100.0

    def seconds(self) -> float:
        return self.now

    def cpu(self) -> float:
        return self.now / 2

    def waited(self) -> float:
        return self.now / 10

    def go(self, seconds: float) -> None:
        self.now += seconds


class Marks:
    """A device that is five times as fast as the host, and one second behind."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.settled = 0
        self.out = 0

    def mark(self) -> float:
        self.out += 1
        return self.clock.now / 5 + 1

    def settle(self) -> None:
        self.settled += 1

    def between(self, first: float, second: float) -> float:
        assert self.settled
        return second - first

    def recycle(self) -> None:
        self.out = 0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(metering, "perf_counter", clock.seconds)
    monkeypatch.setattr(metering, "thread_time", clock.cpu)
    monkeypatch.setattr(RunQueue, "waited", lambda self: clock.waited())
    return clock


def ready(clock: Clock, *, rest: Callable[[Meter], None] = lambda meter: None, device: Marks | None = None) -> Meter:
    meter = Meter(rest, device)
    meter.wanted, meter.active = 1_000_000, True
    return meter


def phase(meter: Meter, clock: Clock, which: int, seconds: float) -> None:
    meter.begin(which)
    clock.go(seconds)
    meter.end(which)


def train(meter: Meter, clock: Clock, *, source: int = 1, loading: float = 1.0) -> None:
    """Make one step of 1 + 2 + 3 + 4 + 5 seconds, and 6 more inside, 7 outside."""
    meter.ask(source)
    clock.go(loading)
    meter.got(8)
    phase(meter, clock, COPY, 2.0)
    phase(meter, clock, FORWARD, 3.0)
    clock.go(6.0)
    phase(meter, clock, BACKWARD, 4.0)
    phase(meter, clock, OPTIMIZER, 5.0)
    clock.go(7.0)


def sums(row: StepRow) -> float:
    parts = (row.wait, row.take, row.copy, row.forward, row.backward, row.optimizer, row.inside, row.outside)
    assert min(parts) >= -1e-9
    return sum(parts)


def test_a_step_is_divided_into_its_parts(clock: Clock) -> None:
    meter = ready(clock)
    meter.begin_epoch(1)
    for _ in range(3):
        train(meter, clock)
    meter.ask(1)
    assert len(meter.rows) == 3
    row = meter.rows[1]
    assert (row.copy, row.forward, row.backward, row.optimizer) == (2.0, 3.0, 4.0, 5.0)
    assert (row.inside, row.outside, row.wait, row.take) == (6.0, 7.0, 0.5, 0.5)
    assert row.period == sums(row) == 28.0
    assert row.samples == 8
    assert row.queue == pytest.approx(2.8)
    assert row.next_queue == pytest.approx(0.1)


def test_rows_follow_one_another_without_a_gap(clock: Clock) -> None:
    meter = ready(clock)
    meter.begin_epoch(1)
    for _ in range(5):
        train(meter, clock)
    meter.ask(1)
    for before, after in zip(meter.rows, meter.rows[1:], strict=False):
        assert before.ended == after.asked


def test_starting_workers_is_a_wait_of_the_first_step_of_an_epoch(clock: Clock) -> None:
    meter = ready(clock)
    for _ in range(2):
        meter.begin_epoch(1)
        clock.go(10.0)
        train(meter, clock)
        train(meter, clock)
        meter.ask(1)
        meter.exhausted(1)
    assert [(row.first, row.epoch) for row in meter.rows] == [(True, 0), (False, 0), (True, 1), (False, 1)]
    assert meter.rows[2].wait + meter.rows[2].take == 11.0


def test_evaluation_is_no_step(clock: Clock) -> None:
    meter = ready(clock)
    meter.begin_epoch(1)
    train(meter, clock)
    meter.begin_epoch(2)
    for _ in range(4):
        meter.ask(2)
        clock.go(1.0)
        meter.got(8)
        phase(meter, clock, FORWARD, 3.0)
    meter.ask(2)
    meter.exhausted(2)
    clock.go(50.0)
    train(meter, clock)
    meter.ask(1)
    assert len(meter.rows) == 2
    assert [row.period for row in meter.rows] == [28.0, 28.0]
    assert meter.trained == {1}


def test_a_step_may_take_batches_of_two_loaders(clock: Clock) -> None:
    meter = ready(clock)
    for _ in range(2):
        meter.ask(1)
        clock.go(1.0)
        meter.got(8)
        train(meter, clock, source=2)
    meter.ask(1)
    assert len(meter.rows) == 2
    assert meter.rows[0].period == sums(meter.rows[0]) == 29.0
    assert meter.rows[0].got - meter.rows[0].asked == 2.0


def test_an_inner_phase_counts_once(clock: Clock) -> None:
    meter = ready(clock)
    meter.ask(1)
    meter.got(8)
    meter.begin(OPTIMIZER)  # as LBFGS does, by a closure
    clock.go(1.0)
    phase(meter, clock, FORWARD, 2.0)
    phase(meter, clock, BACKWARD, 3.0)
    clock.go(1.0)
    meter.end(OPTIMIZER)
    meter.ask(1)
    row = meter.rows[0]
    assert (row.forward, row.backward, row.optimizer, row.inside) == (2.0, 3.0, 2.0, 0.0)
    assert row.period == sums(row)


def test_a_batch_without_an_optimizer_step_ends_with_its_backward_pass(clock: Clock) -> None:
    meter = ready(clock)
    meter.ask(1)
    meter.got(8)
    phase(meter, clock, BACKWARD, 3.0)
    clock.go(2.0)
    meter.ask(1)
    row = meter.rows[0]
    assert (row.backward, row.optimizer, row.outside) == (3.0, 0.0, 2.0)


def test_a_forward_pass_after_the_step_is_outside_it(clock: Clock) -> None:
    meter = ready(clock)
    meter.ask(1)
    meter.got(8)
    phase(meter, clock, BACKWARD, 3.0)
    phase(meter, clock, OPTIMIZER, 1.0)
    phase(meter, clock, FORWARD, 9.0)  # of a metric
    meter.ask(1)
    row = meter.rows[0]
    assert (row.forward, row.outside) == (0.0, 9.0)
    assert row.period == sums(row)


def test_what_a_collation_computes_belongs_to_the_batch(clock: Clock) -> None:
    meter = ready(clock)
    meter.ask(1)
    phase(meter, clock, FORWARD, 4.0)
    meter.got(8)
    phase(meter, clock, BACKWARD, 1.0)
    meter.ask(1)
    row = meter.rows[0]
    assert row.forward == 0.0
    assert row.wait + row.take == 4.0
    assert row.period == sums(row)


def test_what_does_not_count_goes_to_the_phase_around(clock: Clock) -> None:
    meter = ready(clock)
    meter.ask(1)
    meter.got(8)
    meter.begin(FORWARD)
    meter.begin(COPY)
    clock.go(2.0)
    meter.end(COPY, counts=False)
    meter.end(FORWARD)
    phase(meter, clock, BACKWARD, 1.0)
    meter.ask(1)
    assert (meter.rows[0].copy, meter.rows[0].forward) == (0.0, 2.0)


def test_the_time_at_rest_is_no_steps(clock: Clock) -> None:
    def rest(meter: Meter) -> None:
        rested.append(len(meter.rows))
        clock.go(1000.0)
        meter.wanted = len(meter.rows) + 2

    rested: list[int] = []
    meter = ready(clock, rest=rest)
    meter.wanted = 2
    meter.begin_epoch(1)
    for _ in range(5):
        train(meter, clock)
    meter.ask(1)
    assert rested == [2, 4]
    assert {row.period for row in meter.rows} == {28.0}
    assert all(row.queue == pytest.approx(2.8) for row in meter.rows)


def test_it_rests_when_time_is_over_even_in_an_evaluation(clock: Clock) -> None:
    rested: list[float] = []
    meter = ready(clock, rest=lambda meter: rested.append(clock.now))
    meter.deadline = clock.now + 100.0
    for _ in range(30):
        meter.ask(2)
        clock.go(10.0)
        meter.got(8)
    assert rested
    assert rested[0] == 210.0


def test_stamps_and_loss_come_with_the_row(clock: Clock) -> None:
    meter = ready(clock)
    batch = BatchRow(7, 0.0, 1.0, 2.0)
    meter.ask(1)
    meter.got(8, batch)
    phase(meter, clock, BACKWARD, 1.0)
    meter.lost(0.25)
    meter.ask(1)
    rows, losses = meter.take()
    assert rows[0].batch == batch
    assert losses == [0.25]
    assert not meter.steps


def test_nothing_is_recorded_before_it_is_active(clock: Clock) -> None:
    meter = ready(clock)
    meter.active = False
    meter.begin_epoch(1)
    train(meter, clock)
    train(meter, clock)
    assert not meter.rows


def test_a_drained_loader_makes_rows_of_waits_alone(clock: Clock) -> None:
    meter = ready(clock)
    meter.untrained = True
    meter.begin_epoch(1)
    for _ in range(3):
        meter.ask(1)
        clock.go(2.0)
        meter.got(8)
    meter.ask(1)
    assert [row.period for row in meter.rows] == [2.0, 2.0, 2.0]
    assert all(row.period == sums(row) == row.wait + row.take for row in meter.rows)


def test_the_device_tells_its_own_times_and_is_waited_for_only_after_the_block(clock: Clock) -> None:
    marks = Marks(clock)
    meter = ready(clock, device=marks)
    meter.begin_epoch(1)
    train(meter, clock)
    train(meter, clock)
    meter.ask(1)
    waits = [marks.settled]
    rows, _ = meter.take()
    assert [*waits, marks.settled] == [0, 1]
    assert rows[0].device == pytest.approx((0.4, 0.6, 0.8, 1.0))
    assert marks.out == 0


def test_the_device_counts_an_inner_phase_once_and_nothing_after_the_step(clock: Clock) -> None:
    meter = ready(clock, device=Marks(clock))
    meter.ask(1)
    meter.got(8)
    meter.begin(FORWARD)
    clock.go(5.0)
    phase(meter, clock, COPY, 10.0)
    clock.go(5.0)
    meter.end(FORWARD)
    phase(meter, clock, BACKWARD, 15.0)
    phase(meter, clock, FORWARD, 100.0)
    meter.ask(1)
    rows, _ = meter.take()
    assert rows[0].device == pytest.approx((2.0, 2.0, 3.0, 0.0))


EVENT = st.one_of(
    st.tuples(st.just("go"), st.floats(0, 10)),
    st.tuples(st.sampled_from(["begin", "end"]), st.sampled_from([COPY, FORWARD, BACKWARD, OPTIMIZER])),
    st.tuples(st.sampled_from(["ask", "got", "exhausted", "epoch"]), st.integers(1, 2)),
)


@given(st.lists(EVENT, max_size=60))
def test_whatever_happens_parts_sum_to_the_period_and_none_is_negative(events: list[tuple[str, float]]) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metering, "perf_counter", clock.seconds)
        patch.setattr(metering, "thread_time", clock.cpu)
        meter = ready(clock)
        act: dict[str, Callable[[int], None]] = {
            "begin": meter.begin,
            "end": meter.end,
            "ask": meter.ask,
            "got": meter.got,
            "exhausted": meter.exhausted,
            "epoch": meter.begin_epoch,
        }
        for what, value in events:
            if what == "go":
                clock.go(value)
            else:
                act[what](int(value))
        meter.ask(1)
    for row in meter.rows:
        assert sums(row) == pytest.approx(row.period)
        assert row.asked <= row.got <= row.stepped <= row.ended


@pytest.mark.gpu
def test_cuda_events_tell_the_time_of_the_device() -> None:
    import torch

    from dlcheck.profiling.device_marks import CudaMarks

    marks = CudaMarks()
    meter = Meter(lambda meter: None, marks)
    meter.wanted, meter.active = 1_000_000, True
    matrix = torch.randn(4096, 4096, device="cuda")
    meter.begin_epoch(1)
    for _ in range(12):
        meter.ask(1)
        meter.got(8)
        meter.begin(FORWARD)
        for _ in range(10):
            matrix @ matrix
        meter.end(FORWARD)
        meter.begin(BACKWARD)
        meter.end(BACKWARD)
    meter.ask(1)
    rows, _ = meter.take()
    torch.cuda.synchronize()
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    first.record()
    for _ in range(10):
        matrix @ matrix
    last.record()
    torch.cuda.synchronize()
    expected = first.elapsed_time(last) / 1000
    measured = sorted(row.device[1] for row in rows if row.device is not None)[6]
    assert measured == pytest.approx(expected, rel=0.2)
    assert all(sums(row) == pytest.approx(row.period) for row in rows)
