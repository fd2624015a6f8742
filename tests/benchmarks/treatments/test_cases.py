"""Tests of what is planted where."""

from __future__ import annotations

from collections import Counter

import pytest

from dlcheck.recipe.patch import patched
from tests.benchmarks.treatments.cases import FAULTY, FIRST_SEEDS, HEALTHY, cases
from tests.benchmarks.treatments.faults import FAULTS, places
from tests.benchmarks.treatments.programs import HELD_OUT, PROGRAMS, TUNED, halves
from tests.benchmarks.treatments.rivals.chance import KEYS
from tests.benchmarks.treatments.variants import VARIANTS
from tests.benchmarks.treatments.work import FRESH_SEEDS, KILL_SEEDS


def test_each_data_set_is_in_both_halves_and_no_program_in_two() -> None:
    of = halves()
    assert set(of) == set(PROGRAMS)
    for data in {one.data for one in PROGRAMS.values()}:
        found = Counter(of[one.name] for one in PROGRAMS.values() if one.data == data)
        assert abs(found[TUNED] - found[HELD_OUT]) <= 1


@pytest.mark.parametrize("half", [TUNED, HELD_OUT])
def test_every_case_is_a_recipe_that_differs_from_its_twin_where_a_fault_was_planted(half: str) -> None:
    found = cases(half, 0)
    assert len({one.key for one in found}) == len(found)
    for case in found:
        recipe, twin = case.recipe().recipe, case.twin().recipe
        same_seed = patched(twin, {"train.seed": case.seed})
        assert halves()[case.program] == half
        assert case.kind == HEALTHY or recipe != same_seed


def test_every_fault_has_a_place_in_both_halves_and_stands_once_before_any_stands_twice() -> None:
    assert all(places(fault, half) for fault in FAULTS.values() for half in (TUNED, HELD_OUT))
    names = [one.variant for one in cases(HELD_OUT, 0, FAULTY)]
    assert len(set(names[: len(FAULTS)])) == len(FAULTS) >= 20


def test_the_beginning_of_the_order_holds_sick_and_healthy_recipes_and_another_seed_draws_another() -> None:
    found = cases(HELD_OUT, 0)
    kinds = Counter(one.kind for one in found[:50])
    assert kinds == {FAULTY: 30, HEALTHY: 20}
    assert found == cases(HELD_OUT, 0)
    assert found != cases(HELD_OUT, 1)


def test_healthy_cases_are_of_many_variants_and_no_pair_stands_twice() -> None:
    found = cases(HELD_OUT, 0, HEALTHY)
    assert len(found) >= 50
    assert {one.variant for one in found} == set(VARIANTS)
    assert len({(one.program, one.variant) for one in found}) == len(found)


def test_no_treatment_sees_a_seed_by_which_it_is_judged() -> None:
    treated = range(FIRST_SEEDS + 10)
    assert not {*KILL_SEEDS, *FRESH_SEEDS} & set(treated)
    assert not set(KILL_SEEDS) & set(FRESH_SEEDS)


def test_a_random_patch_can_set_every_key_that_a_fault_changed() -> None:
    drawn = {*KEYS, "optimizer.lr", "train.epochs"}
    aside = {"init.value", "init.std", "schedule.gamma", "regularize.average_decay", "train.drop_last"}
    for fault in FAULTS.values():
        for name in places(fault, TUNED):
            assert set(fault.patch(PROGRAMS[name].recipe().recipe) or {}) <= drawn | aside
