"""Intervals of shares, and the test whether a planted fault hurts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.faults.intervals import Share, wilson
from tests.benchmarks.faults.kill import LEAST_HARM, WORST, decidable, killed
from tests.benchmarks.faults.worth import BAD, GOOD


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (81, 263, 0.2553, 0.3662),  # Newcombe (1998), table I
        (15, 148, 0.0624, 0.1605),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_published_values(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 2000).flatmap(lambda of: st.tuples(st.integers(0, of - 1), st.just(of))))
def test_wilson_holds_the_share_rises_with_it_and_narrows(pair: tuple[int, int]) -> None:
    count, of = pair
    low, high = wilson(count, of)
    assert 0 <= low <= count / of <= high <= 1
    next_low, next_high = wilson(count + 1, of)
    assert next_low > low or count == 0
    assert next_high > high
    wide, narrow = high - low, wilson(4 * count, 4 * of)
    assert narrow[1] - narrow[0] < wide


def test_of_nothing_nothing_is_known_and_more_than_all_is_no_share() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert math.isnan(Share(0, 0).rate)
    with pytest.raises(ValueError, match="3 of 2"):
        wilson(3, 2)


thousandths = st.integers(0, 1000).map(lambda number: number / 1000)
five = st.lists(thousandths, min_size=5, max_size=5)


def test_five_worse_seeds_are_the_least_of_all_splits() -> None:
    kill = killed(GOOD, [0.5, 0.51, 0.52, 0.53, 0.54])
    assert kill.p == pytest.approx(1 / 252)
    assert kill.harm == pytest.approx(0.4)
    assert kill.effect == pytest.approx(0.4 / math.sqrt(0.00025))
    assert kill.hurts


def test_equal_better_and_absent_scores_do_not_kill() -> None:
    assert killed(GOOD, GOOD).p > 0.5
    assert not any(killed(*pair).hurts for pair in [(GOOD, GOOD), (BAD["few-samples"], GOOD), (GOOD, []), ([], GOOD)])


def test_seeds_that_do_not_differ_are_killed_by_a_constant_harm_only() -> None:
    assert killed([0.9] * 5, [0.9] * 5).effect == 0.0
    assert not killed([0.9] * 5, [0.9] * 5).hurts
    assert killed([0.9] * 5, [0.8] * 5).hurts


def test_a_significant_thousandth_is_no_harm() -> None:
    small = killed([0.9] * 5, [0.9 - LEAST_HARM / 2] * 5)
    assert small.p <= 0.05
    assert not small.hurts
    assert killed([0.9] * 5, [0.9 - LEAST_HARM] * 5).hurts


@pytest.mark.parametrize("failed", [math.nan, math.inf, -math.inf, -1e9])
def test_failed_trainings_have_the_worst_score(failed: float) -> None:
    assert killed(GOOD, [failed] * 5) == killed(GOOD, [WORST] * 5)
    assert killed(GOOD, [failed] * 5).hurts
    assert not killed([failed] * 5, GOOD).hurts
    one = killed(GOOD, [*GOOD[:4], failed])
    assert not one.hurts, "one seed of five may fail by chance"


@given(five, five)
def test_the_kill_test_does_not_depend_on_order_and_its_p_is_a_share_of_splits(
    good: list[float], bad: list[float]
) -> None:
    kill = killed(good, bad)
    assert kill.p == pytest.approx(killed(good[::-1], bad[::-1]).p)
    assert kill.p * 252 == pytest.approx(round(kill.p * 252))
    assert kill.p >= 1 / 252 - 1e-12
    assert not (kill.hurts and killed(bad, good).hurts)


@given(five, five, thousandths)
def test_more_harm_is_never_less_significant(good: list[float], bad: list[float], more: float) -> None:
    # Raising the healthy side raises the harm of this split at least as much as that of any other one.
    assert killed([value + more for value in good], bad).p <= killed(good, bad).p + 1e-12


def test_the_level_is_kept_where_the_fault_does_nothing() -> None:
    pool = [0.1, 0.23, 0.31, 0.44, 0.52, 0.61]
    splits = [[0, 1, 2], [0, 1, 3], [0, 2, 5], [3, 4, 5], [1, 2, 4]]
    found = [killed([v for i, v in enumerate(pool) if i not in bad], [pool[i] for i in bad]).hurts for bad in splits]
    assert found == [True, False, False, False, False]


def test_too_few_seeds_cannot_decide() -> None:
    assert [decidable(5, n) for n in (0, 1, 2, 5)] == [False, False, True, True]
    assert decidable(3, 3)
    assert not decidable(3, 2)
