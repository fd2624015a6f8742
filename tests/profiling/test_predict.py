"""One observed run tells what other numbers of workers would do, against trainings that are played with them."""

from dataclasses import replace
from multiprocessing import active_children
from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcheck.profiling.found import Found
from dlcheck.profiling.handover import HandOver, hand_over
from dlcheck.profiling.predict import Predictor, calm_wait_share, learn
from dlcheck.profiling.queue_model import STEPS, Pipeline
from dlcheck.runs.facts import CpuUse
from tests.profiling.played import Played

PLENTY = CpuUse(cores=64, threads=1, workers=0, worker_threads=1)


def predictor(played: Played, cpu: CpuUse = PLENTY, handed: HandOver | None = None) -> Predictor:
    learned = learn(played.steps(40, skip=6), played.found, cpu, handed=handed)
    assert learned is not None
    return learned


def truth(played: Played, workers: int, **other: int) -> float:
    again = Played(
        workers=workers,
        fetch=played.fetch,
        fetch_cpu=played.fetch_cpu,
        slow_every=played.slow_every,
        slow=played.slow,
        seed=played.seed + 1,
        **other,
    )
    return fmean(row.period for row in again.steps(400, skip=40))


@pytest.mark.parametrize("observed", [0, 1, 2])
@pytest.mark.parametrize("fetch", [0.004, 0.012, 0.016, 0.040, 0.080])
def test_the_curve_is_that_of_trainings_with_these_workers(observed: int, fetch: float) -> None:
    played = Played(workers=observed, fetch=fetch, fetch_cpu=fetch / 20)
    for one in predictor(played, handed=HandOver(get_s=0.0005, send_s=0.0)).curve(4):
        assert one.step_s == pytest.approx(truth(played, one.workers), rel=0.03), one


def test_slow_samples_hold_up_the_batches_behind_them() -> None:
    played = Played(workers=2, fetch=0.010, fetch_cpu=0.001, slow_every=10, slow=0.2)
    learned = predictor(played)
    four = learned.step(4)
    assert four.step_s == pytest.approx(truth(played, 4), rel=0.1)
    assert four.least_s < 0.6 * truth(played, 4)
    deep = learned.step(4, prefetch=8)
    assert deep.step_s == pytest.approx(truth(played, 4, prefetch=8), rel=0.1)
    free = learned.step(4, in_order=False)
    assert four.step_s is not None
    assert free.step_s is not None
    assert free.step_s < 0.9 * four.step_s


def test_loading_and_computing_that_want_more_cores_than_there_are_cannot_be_told() -> None:
    two = CpuUse(cores=2, threads=1, workers=1, worker_threads=1, own_cores=0.034 / 0.0211)
    learned = predictor(Played(workers=1, fetch=0.020, fetch_cpu=0.020), two)
    none, one, four = (learned.step(workers) for workers in (0, 1, 4))
    assert none.step_s is not None
    assert one.step_s is not None
    assert four.step_s is None
    assert "of 2 cores" in four.why
    assert four.least_s == pytest.approx(0.034 / 2, rel=0.05)


def test_a_device_of_its_own_leaves_the_cores_to_the_workers() -> None:
    played = Played(workers=1, fetch=0.020, fetch_cpu=0.020)
    two = CpuUse(cores=2, threads=1, workers=1, worker_threads=1, own_cores=0.021 / 0.0211)
    assert predictor(played, two).step(2).step_s == pytest.approx(truth(played, 2), rel=0.05)


def test_a_run_that_the_model_does_not_explain_says_nothing_of_others() -> None:
    played = Played(workers=1, fetch=0.005)
    stuck = [
        replace(
            row, asked=row.asked + n, got=row.got + 0.02 + n, stepped=row.stepped + 0.02 + n, ended=row.ended + 0.02 + n
        )
        for row, n in ((row, 0.02 * number) for number, row in enumerate(played.steps(40, skip=6)))
    ]
    learned = learn(stuck, played.found, PLENTY)
    assert learned is not None
    assert abs(learned.miss) < 0.05
    assert learned.step(3).step_s == pytest.approx(0.0135 + 0.02, rel=0.05)
    hidden = [replace(row, batch=row.batch and replace(row.batch, ready=row.got)) for row in stuck]
    wrong = learn(hidden, played.found, PLENTY)
    assert wrong is not None
    assert wrong.miss > 0.1
    assert all(one.step_s is None and "misses the present setting by +" in one.why for one in wrong.curve(3))


def test_waiting_for_a_core_is_no_part_of_computing_or_making() -> None:
    calm, busy = Played(workers=1, fetch=0.005), Played(workers=1, fetch=0.005, queue=0.050)
    learned = predictor(busy)
    assert fmean(learned.pipeline.computing) == pytest.approx(fmean(predictor(calm).pipeline.computing))
    assert learned.step(2).step_s is None
    assert learned.step(2).why == "79% of the observed time went into waiting for a core"


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("fetch", [0.004, 0.040])
def test_the_wait_of_a_calm_machine_is_told_from_a_busy_one(workers: int, fetch: float) -> None:
    calm = Played(workers=workers, fetch=fetch, fetch_cpu=fetch / 10).steps(60, skip=8)
    expected = sum(row.got - row.asked for row in calm) / sum(row.period for row in calm)
    busy = Played(workers=workers, fetch=fetch, fetch_cpu=fetch / 10, queue=0.030)
    rows = busy.steps(60, skip=8)
    measured = sum(row.got - row.asked for row in rows) / sum(row.period for row in rows)
    assert calm_wait_share(rows, busy.found) == pytest.approx(expected, abs=0.02)
    assert measured < expected - 0.1 or expected < 0.1


def test_waiting_of_a_worker_makes_a_fast_loader_slow_but_not_on_a_calm_machine() -> None:
    slow = Played(workers=1, fetch=0.040)
    rows = [
        replace(row, batch=row.batch and replace(row.batch, fetch_queue=0.035, fetch_cpu=0.005))
        for row in slow.steps(60, skip=8)
    ]
    assert calm_wait_share(rows, slow.found) == pytest.approx(0.0005 / 0.0135, abs=0.02)
    assert calm_wait_share(rows, Found("opaque")) is None
    assert calm_wait_share([], slow.found) is None


def test_nothing_is_learned_of_a_loader_that_hides_its_work() -> None:
    rows = [replace(row, batch=None) for row in Played(workers=1).steps(20)]
    assert learn(rows, Found("opaque"), PLENTY) is None
    assert learn(rows, Found("workers", workers=1), PLENTY) is None
    assert learn([], Found("main"), PLENTY) is None


times = st.lists(st.floats(0.001, 1.0), min_size=1, max_size=30).map(tuple)


@settings(max_examples=40)
@given(times, times, st.integers(0, 5), st.floats(0.01, 100))
def test_the_model_scales_and_no_step_is_shorter_than_its_work(
    making: tuple[float, ...], computing: tuple[float, ...], workers: int, k: float
) -> None:
    step = Pipeline(making, computing).step_s(workers)
    scaled = Pipeline(tuple(k * one for one in making), tuple(k * one for one in computing))
    assert scaled.step_s(workers) == pytest.approx(k * step)
    assert step * STEPS >= (STEPS // len(computing)) * sum(computing) * (1 - 1e-9)


@settings(max_examples=40)
@given(times, times, st.randoms(use_true_random=False))
def test_without_workers_the_order_does_not_matter(
    making: tuple[float, ...], computing: tuple[float, ...], random: Random
) -> None:
    mixed = Pipeline(tuple(random.sample(making, len(making))), tuple(random.sample(computing, len(computing))))
    assert mixed.step_s(0) == pytest.approx(Pipeline(making, computing).step_s(0))


@settings(max_examples=40)
@given(st.floats(0.001, 1.0), st.floats(0.001, 1.0), st.floats(0.0, 0.1), st.integers(1, 5), st.booleans())
def test_even_times_give_the_longer_of_making_and_computing(
    making: float, computing: float, get: float, workers: int, in_order: bool
) -> None:
    step = Pipeline((making,), (computing,), get).step_s(workers, in_order=in_order)
    assert step == pytest.approx(max(making / workers, computing + get), rel=0.02)


def test_handing_batches_over_costs_both_sides() -> None:
    played = Played(workers=0, fetch=0.0001, fetch_cpu=0.0001, collate=0, forward=0, backward=0, optimizer=0)
    learned = predictor(played, handed=HandOver(get_s=0.0005, send_s=0.004))
    assert learned.step(0).step_s == pytest.approx(0.0011, rel=0.05)
    assert learned.step(1).step_s == pytest.approx(0.0041, rel=0.05)
    assert learned.step(3).step_s == pytest.approx(0.0015, rel=0.05)


def test_handing_over_is_measured_here_and_leaves_no_worker() -> None:
    told = hand_over(100_000, start_method="fork")
    assert told is not None
    assert 0 < told.get_s <= told.send_s < 5
    assert not active_children()
