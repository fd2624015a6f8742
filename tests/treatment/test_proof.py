"""Which differences between two recipes are called better, and when more seeds are asked for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.report.treated import Proof
from dlcheck.report.treatment_words import proof_line
from dlcheck.treatment.proof import (
    LEVEL,
    MOST,
    SPENT,
    Decision,
    Score,
    decide,
    half_width,
    most_pairs,
    next_seeds,
    prove,
)

NAN = math.nan
ACCURACY = Score("val_accuracy", greater_is_better=True, samples=360)
ERROR = Score("val_mae", greater_is_better=False, samples=88)
shares = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8)


def compared(before: list[float], after: list[float], score: Score = ACCURACY) -> Proof:
    return prove(score, before, after, seeds=range(len(before)))


def followed(score: Score, before: np.ndarray, after: np.ndarray, *, most: int = MOST) -> tuple[Decision, int]:
    """Take pairs as a treatment does, and return how it ends and after how many."""
    count = 1
    while True:
        proof = compared(before[:count].tolist(), after[:count].tolist(), score)
        if (decision := decide(score, proof, most=most)) != "more seeds":
            return decision, count
        count = next_seeds(count)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([0.1, 0.12], [0.95, 0.96], "better"),  # a large difference: two pairs are enough
        ([0.78, 0.81], [0.96, 0.97], "better"),
        ([0.95, 0.96], [0.1, 0.12], "not better"),
        ([0.9], [0.95], "more seeds"),  # one pair never is
        ([0.1], [0.99], "more seeds"),
        ([0.9], [0.901], "not better"),  # lost in what seeds do
        ([0.9], [0.85], "not better"),
        ([0.9, 0.91], [0.95, 0.96], "more seeds"),
        ([0.2, 0.9], [0.95, 0.95], "more seeds"),  # pairs that do not agree
        ([0.9, 0.9, 0.9, 0.9, 0.9], [0.96, 0.95, 0.96, 0.95, 0.96], "better"),
        ([0.9, 0.9, 0.9, 0.9, 0.9], [0.904] * 5, "not better"),  # less than half a point is not worth it
        ([NAN, NAN], [0.95, 0.9], "better"),
        ([NAN], [0.95], "more seeds"),
        ([NAN, 0.3], [0.95, 0.9], "better"),
        ([0.3, 0.3], [0.95, NAN], "not better"),
        ([NAN, NAN], [0.95, NAN], "not better"),
        ([NAN, NAN], [NAN, NAN], "not better"),
        ([NAN, 0.95, 0.95, 0.95, 0.95], [0.95] * 5, "not better"),
        ([math.inf, math.inf], [0.5, 0.5], "better"),  # an infinite score is a death
    ],
)
def test_decides(before: list[float], after: list[float], expected: str) -> None:
    proof = compared(before, after)
    assert decide(ACCURACY, proof) == expected
    assert proof.better == (expected == "better")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([70.0, 72.0], [49.0, 50.0], "better"),
        ([49.0, 50.0], [70.0, 72.0], "not better"),
        ([50.0, 50.0, 50.0, 50.0, 50.0], [49.7] * 5, "not better"),
        ([NAN, 70.0], [45.0, 46.0], "better"),
    ],
)
def test_an_error_is_better_when_it_is_smaller(before: list[float], after: list[float], expected: str) -> None:
    assert decide(ERROR, compared(before, after, ERROR)) == expected


def test_one_pair_has_a_difference_but_no_interval() -> None:
    proof = compared([0.1], [0.9])
    assert proof.difference == pytest.approx(0.8)
    assert math.isnan(proof.low)
    assert math.isnan(proof.high)


def test_pairs_with_a_death_are_left_out_of_the_difference() -> None:
    proof = compared([NAN, 0.5, 0.5], [0.9, 0.8, 0.8])
    assert proof.difference == pytest.approx(0.3)
    assert proof.low < 0.3 < proof.high
    assert math.isnan(proof.before[0])


def test_more_pairs_than_five_are_taken_only_when_asked_for() -> None:
    before, after = [0.9] * 5, [0.93, 0.96, 0.9, 0.97, 0.91]
    proof = compared(before, after)
    assert decide(ACCURACY, proof) == "not better"
    assert decide(ACCURACY, proof, most=8) == "more seeds"
    assert [next_seeds(count) for count in (1, 2, 3, 5, 8)] == [2, 3, 5, 8, 8]


def test_a_small_validation_split_makes_the_interval_wider() -> None:
    few = Score("val_accuracy", greater_is_better=True, samples=20)
    pairs = [(0.8, 0.9), (0.82, 0.9)]
    assert half_width(few, pairs, 0.05) > 1.5 * half_width(ACCURACY, pairs, 0.05)


def test_the_error_over_all_looks_is_that_of_the_level() -> None:
    assert sum(SPENT.values()) == pytest.approx(1 - LEVEL)


@given(shares)
def test_the_interval_holds_the_difference_and_better_means_beyond_zero(pairs: list[tuple[float, float]]) -> None:
    before, after = (list(side) for side in zip(*pairs, strict=True))
    proof = compared(before, after)
    assert proof.low <= proof.difference + 1e-12
    assert proof.difference <= proof.high + 1e-12
    assert proof.low >= -1
    assert proof.high <= 1
    assert not proof.better or proof.low > 0
    assert proof.level == LEVEL


@given(shares)
def test_only_one_of_two_recipes_is_better_than_the_other(pairs: list[tuple[float, float]]) -> None:
    before, after = (list(side) for side in zip(*pairs, strict=True))
    assert not (compared(before, after).better and compared(after, before).better)


@given(st.lists(st.tuples(st.floats(0.01, 1e6), st.floats(0.01, 1e6)), min_size=2, max_size=5), st.floats(0.1, 10))
def test_an_error_is_judged_alike_in_every_unit(pairs: list[tuple[float, float]], unit: float) -> None:
    before, after = (list(side) for side in zip(*pairs, strict=True))
    plain = compared(before, after, ERROR)
    scaled = compared([unit * value for value in before], [unit * value for value in after], ERROR)
    assert scaled.low == pytest.approx(unit * plain.low, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("mean", "spread", "most_wrong"),
    [(0.9, 0.03, 0.02), (0.6, 0.1, 0.02), (0.65, 0.27, 0.08), (0.33, 0.19, 0.03)],
)
def test_equal_recipes_are_seldom_called_better(mean: float, spread: float, most_wrong: float) -> None:
    rng = np.random.default_rng(1)
    scores = np.clip(rng.normal(mean, spread, (400, 2, 5)), 0, 1)
    better = [followed(ACCURACY, before, after)[0] == "better" for before, after in scores]
    assert np.mean(better) <= most_wrong


@pytest.mark.parametrize(("sick", "spread"), [(0.1, 0.02), (0.3, 0.1), (0.63, 0.06)])
def test_two_pairs_are_enough_for_what_costs_much(sick: float, spread: float) -> None:
    rng = np.random.default_rng(2)
    ends = [
        followed(ACCURACY, np.clip(rng.normal(sick, spread, 5), 0, 1), rng.normal(0.96, 0.011, 5)) for _ in range(200)
    ]
    assert np.mean([end == ("better", 2) for end in ends]) > 0.9
    assert all(decision == "better" for decision, _ in ends)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "spread", "share", "band"),
    [
        (0.9, 0.9, 0.05, 0.022, 0.012),
        (0.65, 0.65, 0.27, 0.049, 0.018),
        (0.6, 0.55, 0.1, 0.0, 0.004),
        (0.6, 0.5, 0.15, 0.001, 0.004),
        (0.88, 0.95, 0.02, 0.98, 0.02),
    ],
)
def test_it_errs_as_often_as_it_says(old: float, new: float, spread: float, share: float, band: float) -> None:
    rng = np.random.default_rng(3)
    other = 0.01 if new > old else spread
    before = np.clip(rng.normal(old, spread, (3000, 5)), 0, 1)
    after = np.clip(rng.normal(new, other, (3000, 5)), 0, 1)
    better = [followed(ACCURACY, one, two)[0] == "better" for one, two in zip(before, after, strict=True)]
    assert np.mean(better) == pytest.approx(share, abs=band)


LOST = [0.95, 0.37, 0.93, 0.93, 0.96, 0.96, 0.96, 0.95]
"""Of a recipe one of whose starts fails: the spread is as large as what there is to gain."""


def test_eight_pairs_that_agree_are_a_proof() -> None:
    found = [0.98] * 8
    proof = compared(LOST, found)
    assert proof.low < 0 < proof.high
    assert proof.better
    assert "better with each of 8" in proof_line(proof)
    assert not compared(LOST, [*found[:7], 0.94]).better, "one does not agree"
    assert not compared(LOST[:5], found[:5]).better, "five say too little"
    barely = compared([0.9] * 4 + [0.97] * 4, [0.901] * 4 + [0.971] * 4)
    assert not barely.better, "a tenth of a point is worth nobody's recipe"


def test_pairs_that_agree_are_worth_more_of_them() -> None:
    before, after = [0.941, 0.930, 0.936, 0.947, 0.947], [0.955, 0.964, 0.958, 0.961, 0.958]
    proof = compared(before, after)
    assert not proof.better
    assert most_pairs(ACCURACY, proof) == 8
    assert decide(ACCURACY, proof, most=8) == "more seeds"
    assert most_pairs(ACCURACY, compared(before, [*after[:4], 0.946])) == 5, "one does not agree"
    assert most_pairs(ACCURACY, compared(before[:3], after[:3])) == 5, "three say too little"
