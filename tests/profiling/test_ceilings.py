"""Rates and their intervals."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcheck.profiling.ceilings import ceilings, half_width, rate
from tests.profiling.played import Played, scaled


def test_rates_of_a_training_and_of_its_ceilings() -> None:
    now = Played(workers=0).steps(40)
    ideal = Played(workers=0, fetch=0, fetch_cpu=0, collate=0).steps(40)
    loader = Played(workers=0, forward=0, backward=0, optimizer=0, inside=0, outside=0).steps(40)
    told = ceilings(now, ideal, loader=loader, note="on a calm machine")
    assert told.copied is None
    assert told.note == "on a calm machine"
    assert told.now.value == pytest.approx(16 / 0.034, rel=0.02)
    assert told.ideal is not None
    assert told.loader is not None
    assert told.ideal.value == pytest.approx(16 / 0.013, rel=0.02)
    assert told.loader.value == pytest.approx(16 / 0.021, rel=0.02)


def test_beginnings_of_epochs_slow_a_training_as_often_as_they_come() -> None:
    played = Played(workers=1, fetch=0.005, epoch_steps=25, epoch_start=1.0)
    rows = played.steps(60)
    without = ceilings(rows).now.value
    assert without == pytest.approx(16 / 0.0135, rel=0.02)
    assert ceilings(rows, found=played.found).now.value == pytest.approx(16 / (0.0135 + 1.0 / 25), rel=0.02)
    longer = replace(played.found, steps_per_epoch=1000)
    assert ceilings(rows, found=longer).now.value == pytest.approx(16 / (0.0135 + 1.0 / 1000), rel=0.02)


def test_a_training_without_a_step_has_no_rate() -> None:
    assert rate([]) is None
    with pytest.raises(ValueError, match="at least one"):
        ceilings([])


@settings(max_examples=30)
@given(st.integers(1, 40), st.floats(0.0, 0.9), st.floats(0.01, 100), st.integers(0, 99))
def test_an_interval_holds_the_rate_and_scales_with_it(steps: int, jitter: float, k: float, seed: int) -> None:
    rows = Played(workers=0, jitter=jitter, seed=seed).steps(steps)
    one, other = rate(rows), rate([scaled(row, k) for row in rows])
    assert one is not None
    assert other is not None
    assert 0 < one.low <= one.value <= one.high
    assert (other.value, other.low, other.high) == pytest.approx((one.value / k, one.low / k, one.high / k))


def test_more_steps_and_calmer_ones_give_a_narrower_interval() -> None:
    few, many = rate(Played(jitter=0.8).steps(20)), rate(Played(jitter=0.8).steps(400))
    calm = rate(Played(jitter=0.01).steps(20))
    assert few is not None
    assert many is not None
    assert calm is not None
    assert half_width(many) < half_width(few) / 2
    assert half_width(calm) < half_width(few) / 10


def test_nine_in_ten_intervals_or_more_hold_the_true_rate() -> None:
    held = 0
    for seed in range(60):
        known = rate(Played(workers=0, jitter=0.5, seed=seed).steps(60))
        assert known is not None
        held += known.low <= 16 / 0.034 <= known.high
    assert held >= 53
