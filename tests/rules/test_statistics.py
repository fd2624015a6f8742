import numpy as np
import pytest

from dlcheck.rules.statistics import noise, positions, smooth, tail, thin, trend
from dlcheck.runs import Curve


@pytest.mark.parametrize("size", [0.1, 3.0])
def test_noise_is_the_standard_deviation_around_a_smooth_course(size: float) -> None:
    x = np.linspace(0, 3, 2000)
    y = np.exp(-x) + size * np.random.default_rng(0).standard_normal(2000)
    assert noise(y) == pytest.approx(size, rel=0.1)
    spiked = y.copy()
    spiked[::50] += 100
    assert noise(spiked) == pytest.approx(size, rel=0.3)


def test_a_smooth_or_short_series_has_no_noise() -> None:
    assert noise(np.linspace(5, 1, 50)) == pytest.approx(0, abs=1e-12)
    assert noise(np.array([1.0, 9.0, 1.0])) == 0


def test_the_slope_ignores_outliers() -> None:
    x = np.arange(40.0)
    y = 2 * x
    y[[5, 20]] = 1e6
    line = trend(x, y)
    assert line.slope == pytest.approx(2)
    assert line.rises(0.01)
    assert not line.falls(0.01)
    assert trend(x, -y).falls(0.01)


def test_flat_neither_rises_nor_falls() -> None:
    line = trend(np.arange(10.0), np.ones(10))
    assert (line.slope, line.rises(0.5), line.falls(0.5)) == (0, False, False)


def test_noise_is_rarely_a_trend() -> None:
    generator = np.random.default_rng(0)
    rising = [trend(np.arange(20.0), generator.standard_normal(20)).rises(0.05) for _ in range(300)]
    assert np.mean(rising) < 0.08


def test_long_series_are_thinned_to_block_medians() -> None:
    x, y = thin(np.arange(1000.0), np.tile([0.0, 1.0, 50.0, 1.0, 0.0], 200), most=200)
    assert len(x) == 200
    assert set(y) == {1.0}
    assert x[0] == 2
    same = np.arange(5.0)
    assert thin(same, same)[0] is same


def test_the_running_median_removes_a_spike_and_keeps_length() -> None:
    assert smooth(np.array([1.0, 1.0, 9.0, 1.0, 1.0])).tolist() == [1.0] * 5
    assert smooth(np.array([3.0, 1.0])).tolist() == [2.0, 2.0]


def test_the_tail_has_its_least_points() -> None:
    assert tail(np.arange(100.0), 0.1).tolist() == list(range(90, 100))
    assert len(tail(np.arange(10.0), 0.1)) == 3


def test_positions_fall_back_from_steps_to_epochs_to_ranks() -> None:
    unknown, known = np.array([np.nan, np.nan]), np.array([3.0, 4.0])
    assert positions(Curve(known, unknown, known)).tolist() == [3, 4]
    assert positions(Curve(unknown, known, known)).tolist() == [3, 4]
    assert positions(Curve(unknown, unknown, known)).tolist() == [0, 1]
