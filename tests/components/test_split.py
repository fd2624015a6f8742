"""Splits: nothing in two of them, the shares that were asked for, and a seed of their own."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.components.data.split import Indices, Traits, evaluation_size, split_indices
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import Split

CLASSES = np.repeat([0, 1, 2], [600, 300, 100])


def parts(found: Indices) -> list[set[int]]:
    return [set(part.tolist()) for part in (found.train, found.val, found.test)]


@pytest.mark.parametrize("method", ["random", "stratified", "group", "time"])
@pytest.mark.parametrize("folds", [None, 4])
def test_every_sample_is_in_exactly_one_split(method: Any, folds: int | None) -> None:
    traits = Traits(1000, CLASSES, groups=np.arange(1000) // 10)
    found = split_indices(Split(method=method, group="g", folds=folds), traits)
    train, val, test = parts(found)
    assert not train & val
    assert not train & test
    assert not val & test
    if method != "time" or folds is None:
        assert train | val | test == set(range(1000))


@pytest.mark.parametrize(("samples", "expected"), [(100, 20), (10_000, 2000), (60_000, 6000), (1_000_000, 10_000)])
def test_evaluation_sizes_by_amount(samples: int, expected: int) -> None:
    assert evaluation_size(samples) == expected


@given(st.integers(2, 10_000_000))
def test_more_data_never_means_fewer_to_evaluate(samples: int) -> None:
    assert evaluation_size(samples) <= evaluation_size(samples + 1)
    assert 2 * evaluation_size(samples) <= samples


def test_shares_are_those_asked_for() -> None:
    found = split_indices(Split(val=0.1, test=0.25), Traits(1000, CLASSES))
    assert [len(part) for part in (found.train, found.val, found.test)] == [650, 100, 250]


def test_stratified_keeps_the_shares_of_classes() -> None:
    found = split_indices(Split(), Traits(1000, CLASSES))
    for part in (found.train, found.val, found.test):
        shares = np.bincount(CLASSES[part]) / len(part)
        assert shares == pytest.approx([0.6, 0.3, 0.1], abs=0.01)


def test_a_class_of_one_sample_trains() -> None:
    classes = np.append(np.repeat([0, 1], 50), 2)
    found = split_indices(Split(), Traits(101, classes))
    assert 100 in found.train
    assert "class 2 has one sample only" in found.notes[0]


def test_too_small_for_strata_is_random_and_said() -> None:
    found = split_indices(Split(val=0.1, test=0.1), Traits(12, np.arange(12) // 2))
    assert len(found.val) == 1
    assert "split at random" in found.notes[0]


def test_only_the_split_seed_decides() -> None:
    traits = Traits(1000, CLASSES)
    first, again, other = (split_indices(Split(seed=seed), traits) for seed in (1, 1, 2))
    assert parts(first) == parts(again)
    assert parts(first)[1] != parts(other)[1]


def test_groups_stay_together() -> None:
    groups = np.random.default_rng(0).integers(0, 40, 1000)
    found = split_indices(Split(group="patient"), Traits(1000, CLASSES, groups))
    sets = [set(groups[part]) for part in (found.train, found.val, found.test)]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]


def test_time_validates_after_training_and_tests_last() -> None:
    times = np.random.default_rng(0).permutation(500)
    found = split_indices(Split(method="time"), Traits(500, times=times))
    assert times[found.train].max() < times[found.val].min()
    assert times[found.val].max() < times[found.test].min()


def test_folds_validate_each_sample_once_and_keep_the_test_apart() -> None:
    traits = Traits(1000, CLASSES)
    found = [split_indices(Split(folds=5), traits, fold=fold) for fold in range(5)]
    validated = np.concatenate([each.val for each in found])
    assert len({tuple(each.test) for each in found}) == 1
    assert sorted(validated) == sorted(set(range(1000)) - set(found[0].test))
    assert all(
        np.bincount(CLASSES[each.val]) / len(each.val) == pytest.approx([0.6, 0.3, 0.1], abs=0.02) for each in found
    )


def test_folds_by_time_train_on_the_past() -> None:
    for fold in range(3):
        found = split_indices(Split(method="time", folds=3), Traits(200), fold=fold)
        assert found.train.max() < found.val.min()
        assert found.val.max() < found.test.min()


def test_a_given_test_set_is_not_drawn_again() -> None:
    found = split_indices(Split(method="given"), Traits(1000, CLASSES), test_given=True)
    assert len(found.test) == 0
    assert len(found.val) == 200


@pytest.mark.parametrize(
    ("split", "traits", "message"),
    [
        (Split(method="given"), Traits(100), "comes in one piece"),
        (Split(method="stratified"), Traits(100), "no class"),
        (Split(method="group"), Traits(100), "must name a column"),
        (Split(group="g"), Traits(100, groups=np.zeros(100)), r"1 group\(s\) in column 'g' are too few"),
        (Split(val=0.6, test=0.4), Traits(100), "too few"),
        (Split(), Traits(2), "2 samples are too few"),
        (Split(folds=90), Traits(100), "only 80 samples are left"),
        (Split(folds=5, fold=5), Traits(100), "0 to 4 are valid"),
    ],
)
def test_impossible_splits_say_why(split: Split, traits: Traits, message: str) -> None:
    with pytest.raises(DlcheckError, match=message):
        split_indices(split, traits)
