"""Tests of those that treat the same recipes."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from dlcheck.recipe import LoadedRecipe
from dlcheck.recipe.patch import patched
from tests.benchmarks.treatments.programs import PROGRAMS
from tests.benchmarks.treatments.rivals.autotrainer import repairs, treated_by_autotrainer
from tests.benchmarks.treatments.rivals.chance import drawn, treated_by_chance
from tests.benchmarks.treatments.store import Scores
from tests.benchmarks.treatments.train import SCORES, points

KINDS = ("vanish", "explode", "relu", "unstable", "not_converge")


def _recipe(**patch: object) -> LoadedRecipe:
    loaded = PROGRAMS["iris-tanh-momentum"].recipe()
    values = {key.replace("__", "."): value for key, value in patch.items()}
    return replace(loaded, recipe=patched(loaded.recipe, values | {"train.epochs": 6}))


def test_every_repair_is_a_valid_change_of_the_recipe() -> None:
    recipe = PROGRAMS["digits-cnn-momentum"].recipe().recipe
    for kind in KINDS:
        found = [patched(recipe, patch) for patch in repairs(kind, recipe)]
        assert len(found) >= 2
        assert all(one != recipe for one in found)


def test_a_rate_that_is_too_low_is_slow_and_repaired_by_another_optimizer_or_rate() -> None:
    kept, cost, seen = treated_by_autotrainer(_recipe(optimizer__lr=1e-7), 8.0)
    assert seen[0] in ("vanish", "not_converge", "relu")
    assert cost > 1.0
    assert kept.recipe != _recipe(optimizer__lr=1e-7).recipe


def test_it_leaves_a_recipe_alone_that_shows_no_fault() -> None:
    healthy = _recipe(train__seed=1)
    kept, cost, seen = treated_by_autotrainer(healthy, 8.0)
    assert (kept, cost, seen) == (healthy, 1.0, [])


def test_random_patches_change_one_key_and_are_the_same_for_the_same_draw() -> None:
    recipe = _recipe().recipe
    for seed in range(40):
        found = drawn(recipe, random.Random(seed))
        assert found == drawn(recipe, random.Random(seed))
        assert found != recipe


def test_random_patches_stay_within_their_budget(tmp_path: Path) -> None:
    sick = _recipe(optimizer__lr=1e-7)
    _, cost = treated_by_chance(sick, 5.0, tmp_path / "runs", random.Random(1))
    assert 1.0 <= cost <= 5.0


def test_points_are_remembered_and_what_cannot_be_trained_has_none(tmp_path: Path) -> None:
    SCORES[:] = [Scores(tmp_path / "scores.jsonl")]
    try:
        first = points(_recipe(), 7)
        assert 60 < first <= 100
        SCORES[:] = [Scores(tmp_path / "scores.jsonl")]
        text = (tmp_path / "scores.jsonl").read_text(encoding="utf-8")
        assert abs(points(_recipe(), 7) - first) < 1e-3
        assert (tmp_path / "scores.jsonl").read_text(encoding="utf-8") == text
        assert points(_recipe(model__norm="batch", train__batch_size=1), 7) == 0.0
    finally:
        SCORES.clear()
