"""The last comparison of a treatment: what was kept against the original, within the budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dlcheck.diagnosis.settings import Settings
from dlcheck.recipe import LoadedRecipe, load_recipe
from dlcheck.recipe.patch import patched
from dlcheck.treatment.budget import Budget, Purse
from dlcheck.treatment.course import Course
from dlcheck.treatment.proof import Score
from dlcheck.treatment.rates import Rates
from dlcheck.treatment.trainings import Training, Trainings, content_key

EPOCHS = 10.0


@dataclass(slots=True)
class Scored(Trainings):
    """Trainings whose scores are known without training."""

    scores: Callable[[LoadedRecipe, int], float] = lambda _, __: 0.0
    made: set[tuple[str, int]] = field(default_factory=set)

    def whole(self, loaded: LoadedRecipe, seed: int, *, use: str, label: str) -> Training:
        """Return a training with the score that was given."""
        del label
        key = (content_key(loaded.recipe), seed)
        if key not in self.made:
            self.made.add(key)
            self.purse.pay(use, 1.0)
        return Training(key[0], seed, self.folder, self.scores(loaded, seed), whole=True)

    def known(self, loaded: LoadedRecipe, seed: int) -> bool:
        """Return whether it was asked for before."""
        return (content_key(loaded.recipe), seed) in self.made


def course(
    tmp_path: Path, before: tuple[float, ...], after: tuple[float, ...], *, budget: Budget, known: int
) -> Course:
    recipe = tmp_path / "some.toml"
    recipe.write_text('[data]\nname = "blobs"\n\n[model]\nname = "mlp"\n\n[train]\nepochs = 10\n')
    old = load_recipe(recipe)
    new = replace(old, recipe=patched(old.recipe, {"optimizer.lr": 0.5}))
    first, purse = old.recipe.train.seed, Purse(budget, EPOCHS)

    def scores(loaded: LoadedRecipe, seed: int) -> float:
        return (before if loaded is old else after)[seed - first]

    score = Score("val_accuracy", greater_is_better=True, samples=1000)
    trainings = Scored(tmp_path, "cpu", purse, lambda _: None, score, scores=scores)
    for seed in range(first, first + known):
        trainings.whole(old, seed, use="proof", label="")
        trainings.whole(new, seed, use="proof", label="")
    made = Course(old, trainings, Rates("cpu", purse, lambda _: None), Settings(), lambda _: None)
    made.base = new
    return made


def test_what_is_known_and_clear_costs_nothing(tmp_path: Path) -> None:
    whole = course(tmp_path, (0.3,) * 5, (0.9,) * 5, budget=Budget(4.0), known=2)
    whole.prove_whole()
    assert whole.proof is not None
    assert whole.proof.better
    assert (len(whole.proof.seeds), whole.trainings.purse.cost, whole.spent) == (2, 4.0, False)


@pytest.mark.parametrize(("budget", "seeds", "cost"), [(5.0, 2, 4.0), (6.0, 3, 6.0), (9.9, 4, 8.0), (20.0, 5, 10.0)])
def test_small_differences_take_more_seeds_within_the_budget(
    tmp_path: Path, budget: float, seeds: int, cost: float
) -> None:
    before = (0.70, 0.74, 0.70, 0.74, 0.70)
    after = (0.81, 0.77, 0.79, 0.79, 0.78)
    whole = course(tmp_path, before, after, budget=Budget(budget), known=2)
    whole.prove_whole()
    assert whole.proof is not None
    assert (len(whole.proof.seeds), whole.trainings.purse.cost) == (seeds, cost)
    assert whole.spent is (budget < 10)


def test_what_was_not_kept_is_not_compared(tmp_path: Path) -> None:
    whole = course(tmp_path, (0.3,) * 5, (0.9,) * 5, budget=Budget(20.0), known=0)
    whole.forget()
    whole.prove_whole()
    assert whole.proof is None
    assert whole.trainings.purse.cost == 0.0


def test_a_change_of_nothing_is_given_up_after_two_seeds(tmp_path: Path) -> None:
    whole = course(tmp_path, (0.9,) * 5, (0.9,) * 5, budget=Budget(20.0), known=0)
    whole.prove_whole()
    assert whole.proof is not None
    assert not whole.proof.better
    assert whole.trainings.purse.cost == 4.0
