import numpy as np
import pytest

from dlcheck.rules.statistics import (
    block_medians,
    half_life,
    noise,
    plateau_start,
    positions,
    smooth,
    spikes,
    tail,
    thin,
    trend,
)
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


@pytest.mark.parametrize("count", [4, 9, 30, 150])
def test_the_trend_agrees_with_scipy(count: int) -> None:
    from scipy.stats import kendalltau, theilslopes

    generator = np.random.default_rng(count)
    x, y = np.arange(float(count)), generator.standard_normal(count) + np.arange(count) / count
    line, slopes, tau = trend(x, y), theilslopes(y, x, alpha=0.95), kendalltau(x, y)
    assert line.slope == pytest.approx(slopes.slope)
    assert line.low == pytest.approx(slopes.low_slope, abs=0.02)
    assert line.high == pytest.approx(slopes.high_slope, abs=0.02)
    assert min(line.p_rising, line.p_falling) == pytest.approx(tau.pvalue / 2, rel=0.1, abs=1e-4)


def test_four_points_in_order_have_a_chance_of_one_in_24() -> None:
    assert trend(np.arange(4.0), np.array([1.0, 2.0, 3.0, 5.0])).p_rising == pytest.approx(1 / 24)
    assert trend(np.arange(4.0), np.array([5.0, 3.0, 2.0, 1.0])).p_falling == pytest.approx(1 / 24)


def test_points_at_one_place_have_no_trend() -> None:
    assert trend(np.zeros(5), np.arange(5.0)).slope == 0
    assert trend(np.arange(2.0), np.arange(2.0)).p_rising == 1


def test_spikes_are_points_and_not_steps_or_noise() -> None:
    y = np.exp(-np.arange(60.0) / 20) + 0.01 * np.random.default_rng(0).standard_normal(60)
    assert len(spikes(y, 6)) == 0
    y[[15, 40]] += 1.0
    assert spikes(y, 6).tolist() == [15, 40]
    assert len(spikes(np.where(np.arange(60) < 30, 0.0, 1.0), 6)) == 0
    assert len(spikes(y[:4], 6)) == 0


def test_a_plateau_starts_where_the_rest_is_as_good() -> None:
    level = np.array([5.0, 3.0, 1.05, 1.0, 1.02, 1.0])
    assert plateau_start(level, 0.1) == 2
    assert plateau_start(level, 0.0) == 3


def test_the_half_life_of_a_line_is_half_and_of_a_drop_is_short() -> None:
    assert half_life(np.linspace(2, 1, 101)) == pytest.approx(0.5, abs=0.01)
    assert half_life(np.exp(-np.arange(101) / 10)) == pytest.approx(0.07, abs=0.01)
    assert half_life(np.ones(10)) == 1


@pytest.mark.parametrize("count", [301, 1000, 99_999])
def test_block_medians_follow_the_series(count: int) -> None:
    y = np.linspace(0, 1, count)
    blocks = block_medians(y, 300)
    assert len(blocks) == 300
    assert blocks == pytest.approx((np.arange(300) + 0.5) / 300, abs=0.01)
