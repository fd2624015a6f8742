"""Blocks made in turns: what a step costs in the long run, and how sure a ratio is."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.profiling.paired import paired_ratio, step_cost
from dlcheck.profiling.rows import BatchRow, StepRow

COSTS = st.lists(st.floats(1e-4, 1e2), min_size=2, max_size=12)


def row(period: float, *, epoch: int = 0, first: bool = False, making: float | None = None) -> StepRow:
    batch = None if making is None else BatchRow(1, 0.0, making, making)
    return StepRow(0.0, 0.0, period, period, 0.0, 0.0, 0.0, 0.0, period, 0.0, 0.0, 8, epoch, first, batch=batch)


@given(COSTS, st.floats(1.01, 10))
def test_what_slows_both_blocks_of_a_pair_cancels(costs: list[float], faster: float) -> None:
    ratio = paired_ratio(costs, [cost / faster for cost in costs])
    assert ratio.value == pytest.approx(faster)
    assert ratio.low == pytest.approx(faster)
    assert ratio.faster


@given(COSTS, COSTS)
def test_the_other_way_round_it_is_the_inverse(first: list[float], second: list[float]) -> None:
    count = min(len(first), len(second))
    there = paired_ratio(first[:count], second[:count])
    back = paired_ratio(second[:count], first[:count])
    assert there.low <= there.value * (1 + 1e-9)
    assert there.value <= there.high * (1 + 1e-9)
    assert back.value == pytest.approx(1 / there.value)
    assert math.log(back.high) == pytest.approx(-math.log(there.low)) if there.low > 0 else math.isinf(back.high)
    assert not (there.faster and there.slower)


def test_one_pair_says_nothing() -> None:
    ratio = paired_ratio([2.0], [1.0])
    assert (ratio.value, ratio.low, ratio.high) == (2.0, 0.0, math.inf)
    assert not ratio.faster
    assert ratio.width == math.inf


@pytest.mark.parametrize("pairs", [4, 10])
def test_the_interval_holds_the_truth_as_often_as_it_says(pairs: int) -> None:
    rng, held = random.Random(1), 0
    for _ in range(600):
        drift = [math.exp(rng.gauss(0, 0.5)) for _ in range(pairs)]
        first = [1.3 * slow * math.exp(rng.gauss(0, 0.05)) for slow in drift]
        second = [slow * math.exp(rng.gauss(0, 0.05)) for slow in drift]
        ratio = paired_ratio(first, second)
        held += ratio.low <= 1.3 <= ratio.high
    assert 0.93 <= held / 600 <= 0.97


def test_workers_that_finish_together_are_counted_by_the_mean() -> None:
    assert step_cost([row(0.1), row(0.0)] * 5, None) == pytest.approx(0.05)


def test_first_batches_count_as_often_as_an_epoch_has_them() -> None:
    epoch = [row(0.5, first=True), *[row(0.1)] * 3]
    rows = [*[row(0.1)] * 2, *epoch, *epoch]
    assert step_cost(rows, 4) == pytest.approx((0.5 + 0.3) / 4)
    assert step_cost(rows, 1000) == pytest.approx(0.1)
    assert step_cost(rows, None) == pytest.approx(0.1)


def test_a_queue_that_was_filled_before_does_not_hide_what_workers_need() -> None:
    rows = [row(0.1, making=0.3)] * 6
    assert step_cost(rows, None, workers=2) == pytest.approx(0.15)
    assert step_cost(rows, None, workers=4) == pytest.approx(0.1)
    assert step_cost(rows, None) == pytest.approx(0.1)
