"""Rules on any curve."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.tuning.rate.found import RateRun
from dlcheck.tuning.rate.grid import hopeless, lowest, search
from dlcheck.tuning.rate.rules import Sweep, blown_up, edge_of_divergence, read_rules, valley
from dlcheck.tuning.rate.smoothing import smooth
from dlcheck.tuning.rate.sweep import HIGHEST
from dlcheck.tuning.rate.verdict import first_rate, judge, largest_stable, shrink

LOSS = st.floats(width=32) | st.floats(-3, 3) | st.just(1.0)
CURVES = st.lists(LOSS, min_size=0, max_size=100)
RUNS = st.lists(st.tuples(st.floats(1e-8, 1e3), LOSS), max_size=5, unique_by=lambda run: run[0])


def sweep_of(losses: list[float], *, diverged: bool = False) -> Sweep:
    values = np.array(losses, dtype=float)
    return Sweep(np.geomspace(1e-7, 10, 100)[: len(values)], values, smooth(values), diverged)


def runs_of(pairs: list[tuple[float, float]]) -> tuple[RateRun, ...]:
    return tuple(RateRun(rate, loss if math.isfinite(loss) else math.inf, 50) for rate, loss in pairs)


def textbook(best: float = 1e-2, edge: float = 1.0) -> list[float]:
    """Return losses that are flat, fall, lie lowest at ``best`` and shoot up at ``edge``."""
    rates = np.geomspace(1e-7, 10, 100)
    fall = 1 / (1 + (best / 10 / rates))
    rise = np.exp(np.minimum(8 * np.log10(rates / edge), 20.0))
    noise = np.random.default_rng(0).normal(0, 0.01, 100)
    losses: list[float] = (2.0 - 1.5 * fall + rise + noise).tolist()
    return losses


@given(CURVES, st.booleans())
def test_any_curve_gives_rates_within_its_range(losses: list[float], diverged: bool) -> None:
    sweep = sweep_of(losses, diverged=diverged)
    for name, rate in read_rules(sweep).items():
        if rate is not None:
            margin = {"minimum": 10.0, "edge": 30.0}.get(name, 1.0)
            assert sweep.rates[0] / margin * (1 - 1e-9) <= rate <= sweep.rates[-1] * (1 + 1e-9), name


@given(CURVES, RUNS, st.floats(0.1, 1e9), st.none() | st.floats(-3, 3))
def test_any_outcome_is_judged(
    losses: list[float], pairs: list[tuple[float, float]], length: float, trivial: float | None
) -> None:
    sweep, runs = sweep_of(losses), runs_of(pairs)
    rules = read_rules(sweep)
    verdict = judge(sweep, runs, rules, length=length, trivial=trivial)
    stable = largest_stable(sweep, runs)
    assert stable is None or stable > 0
    if verdict.suggestion is None:
        assert verdict.why
        assert verdict.interval is None
    else:
        assert verdict.interval is not None
        low, high = verdict.interval
        assert 0 < low <= verdict.suggestion <= high < math.inf
        rates = [run.rate * shrink(length) for run in runs]
        assert min(rates) * (1 - 1e-9) <= verdict.suggestion <= max(rates) * (1 + 1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(0.0, 0.999))
def test_smoothing_stays_between_the_losses(losses: list[float], memory: float) -> None:
    smoothed = smooth(np.array(losses), memory)
    assert smoothed[0] == pytest.approx(losses[0], abs=1e-9)
    slack = 1e-9 * max(1.0, *map(abs, losses))
    assert (smoothed >= min(losses) - slack).all()
    assert (smoothed <= max(losses) + slack).all()


def test_smoothing_of_a_constant_is_that_constant_from_the_first_step() -> None:
    assert smooth(np.full(50, 2.5)) == pytest.approx(2.5)


def test_smoothing_ends_at_the_first_loss_that_is_none() -> None:
    smoothed = smooth(np.array([1.0, math.nan, 1.0]))
    assert smoothed[0] == 1.0
    assert np.isnan(smoothed[1:]).all()


def test_rules_on_a_textbook_curve() -> None:
    losses = textbook()
    found = read_rules(sweep_of(losses, diverged=True))
    for name, low, high in (("minimum", 1e-3, 0.1), ("valley", 1e-4, 0.1), ("steep", 1e-4, 0.1), ("edge", 0.003, 0.1)):
        rate = found[name]
        assert rate is not None
        assert low <= rate <= high, (name, rate)


def test_edge_is_known_only_where_the_sweep_diverged() -> None:
    losses = textbook()
    assert edge_of_divergence(sweep_of(losses)) is None
    edge = edge_of_divergence(sweep_of(losses, diverged=True))
    assert edge is not None
    assert 0.1 < edge < 2


def test_a_flat_curve_says_nothing() -> None:
    assert set(read_rules(sweep_of([1.0] * 60)).values()) == {None}


def test_rising_losses_have_no_valley() -> None:
    assert valley(np.geomspace(1e-3, 1, 10), np.arange(10.0)) is None


@pytest.mark.parametrize(
    ("smoothed", "best", "first", "over"),
    [
        (8.1, 2.0, 2.3, True),
        (7.9, 2.0, 2.3, False),
        (0.01, 0.001, 1.0, False),  # ten times the best, but nothing of what was gained is lost
        (0.6, 0.001, 1.0, True),
        (-1.0, -5.0, 0.0, False),
        (11.0, -5.0, 0.0, True),
        (math.nan, 1.0, 1.0, True),
    ],
)
def test_when_a_sweep_has_seen_enough(smoothed: float, best: float, first: float, over: bool) -> None:
    assert blown_up(smoothed, best, first) is over


def valley_at(center: float, *, blows_above: float = math.inf) -> tuple[list[float], object]:
    asked: list[float] = []

    def look(rate: float) -> RateRun:
        asked.append(rate)
        score = math.inf if rate > blows_above else math.log10(rate / center) ** 2
        return RateRun(rate, score, 50)

    return asked, look


@pytest.mark.parametrize("start", [1e-3, 3e-3, 1e-2, 4e-2])
def test_search_encloses_the_lowest_and_the_parabola_finds_it(start: float) -> None:
    asked, look = valley_at(7e-3)
    runs = search(look, start, 6)  # type: ignore[arg-type]
    found = lowest(runs)
    assert found is not None
    assert abs(math.log10(found / 7e-3)) < 0.15
    assert len(asked) == len(set(asked)) <= 6


def test_search_goes_down_from_rates_that_blow_up() -> None:
    asked, look = valley_at(1e-2, blows_above=2e-2)
    runs = search(look, 1.0, 6)  # type: ignore[arg-type]
    assert max(asked) == 1.0
    found = lowest(runs)
    assert found is not None
    assert found < 2e-2


def test_search_leaves_rates_above_the_range_test_alone() -> None:
    asked, look = valley_at(1e6)
    runs = search(look, 5.0, 4)  # type: ignore[arg-type]
    assert max(asked) <= HIGHEST
    assert lowest(runs) == 5.0
    asked, look = valley_at(1e6)
    assert lowest(search(look, 50.0, 4)) == HIGHEST  # type: ignore[arg-type]


def test_nothing_is_lowest_where_all_blew_up() -> None:
    assert lowest(runs_of([(0.1, math.inf), (1.0, math.inf)])) is None


def test_a_run_is_given_up_only_after_a_third_of_its_steps() -> None:
    spike = [1.0, 90.0, 90.0, 90.0]
    assert not hopeless(spike, 30)
    assert hopeless([*spike, *[90.0] * 8], 30)
    assert not hopeless([*spike, *[3.0] * 8], 30)


def test_longer_trainings_want_smaller_rates_up_to_a_bound() -> None:
    assert shrink(1) == shrink(0.3) == 1
    assert shrink(4) == pytest.approx(0.5)
    assert shrink(1e6) == shrink(100) == pytest.approx(0.1)


def test_search_begins_at_the_median_so_that_one_rule_cannot_mislead_it() -> None:
    start = first_rate({"minimum": 1e-5, "valley": 4e-3, "edge": 1e-2, "steep": 9.0})
    assert start == pytest.approx(2e-2)
    assert first_rate({"minimum": None, "slide": 1.0}) is None


def test_abstains_where_the_rules_disagree_by_more_than_a_decade_and_a_half() -> None:
    sweep, runs = sweep_of([2.0] * 30 + [1.0] * 30), runs_of([(1e-3, 0.5), (1e-2, 0.3), (1e-1, 0.5)])
    near = judge(sweep, runs, {"minimum": 5e-3, "valley": 2e-3, "edge": None}, length=1, trivial=None)
    assert near.suggestion == pytest.approx(1e-2)
    far = judge(sweep, runs, {"minimum": 5e-7, "valley": 2e-7, "edge": None}, length=1, trivial=None)
    assert far.suggestion is None
    assert "disagree by more than 1.5 decades" in far.why
    overruled = judge(sweep, runs, {"minimum": 5e-7, "valley": 2e-3, "edge": 5e-3}, length=1, trivial=None)
    assert overruled.suggestion == pytest.approx(1e-2)
    assert "minimum" in overruled.notes[0]


def test_a_lowest_that_is_not_enclosed_is_told_and_widens_the_interval() -> None:
    sweep = sweep_of([2.0] * 30 + [1.0] * 30)
    closed = judge(sweep, runs_of([(1e-3, 1.2), (1e-2, 0.3), (1e-1, 1.2)]), {}, length=1, trivial=None)
    opened = judge(sweep, runs_of([(1e-2, 0.3), (1e-1, 1.2)]), {}, length=1, trivial=None)
    assert closed.notes == ()
    assert "smallest rate tried" in opened.notes[0]
    assert opened.interval is not None
    assert closed.interval is not None
    assert opened.interval[0] < closed.interval[0]


def test_abstains_where_the_loss_stays_at_that_of_a_constant_answer() -> None:
    sweep, runs = sweep_of([2.6] * 30 + [2.4] * 30), runs_of([(1e-3, 2.35), (1e-2, 2.3), (1e-1, 2.35)])
    rules: dict[str, float | None] = {"minimum": 5e-3}
    assert judge(sweep, runs, rules, length=1, trivial=None).suggestion is not None
    verdict = judge(sweep, runs, rules, length=1, trivial=2.303)
    assert verdict.suggestion is None
    assert "always the same answer" in verdict.why
