"""The course of a treatment where scores and diagnoses are given: what is tried, kept, and compared at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dlcheck.diagnosis.settings import Settings
from dlcheck.findings import Finding, Outcome, Remedy, Severity
from dlcheck.recipe import LoadedRecipe, load_recipe
from dlcheck.recipe.patch import patched
from dlcheck.report.report import Report
from dlcheck.report.treated import Attempt, Fate
from dlcheck.runs import Run
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

    def known(self, loaded: LoadedRecipe, seed: int, share: float = 1.0) -> bool:
        """Return whether it was asked for before."""
        return (content_key(loaded.recipe), seed) in self.made


@dataclass(slots=True)
class Suggested(Rates):
    """A search that always suggests the same."""

    def suggested(self, loaded: LoadedRecipe) -> float | None:
        """Return a rate of 0.5."""
        del loaded
        return 0.5


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
    made = Course(old, trainings, Suggested("cpu", purse, lambda _: None), Settings(), lambda _: None)
    made.base = new
    return made


def test_what_is_known_and_clear_costs_nothing(tmp_path: Path) -> None:
    whole = course(tmp_path, (0.3,) * 5, (0.9,) * 5, budget=Budget(4.0), known=2)
    whole.prove_whole()
    assert whole.proof is not None
    assert whole.proof.better
    assert (len(whole.proof.seeds), whole.trainings.purse.cost, whole.spent) == (2, 4.0, False)


@pytest.mark.parametrize(("budget", "seeds", "cost"), [(5.0, 2, 4.0), (6.0, 3, 6.0), (9.9, 4, 8.0), (20.0, 8, 16.0)])
def test_small_differences_take_more_seeds_within_the_budget(
    tmp_path: Path, budget: float, seeds: int, cost: float
) -> None:
    before = (0.70, 0.74, 0.70, 0.74, 0.70, 0.72, 0.71, 0.72)
    after = (0.81, 0.77, 0.79, 0.79, 0.78, 0.78, 0.79, 0.78)
    whole = course(tmp_path, before, after, budget=Budget(budget), known=2)
    whole.prove_whole()
    assert whole.proof is not None
    assert (len(whole.proof.seeds), whole.trainings.purse.cost) == (seeds, cost)
    assert whole.spent is (budget < 16)


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


def report(*codes: str, remedies: tuple[Remedy, ...] = (), clean: tuple[str, ...] = ()) -> Report:
    found = [Finding(code, "some-fault", Severity.WARNING, 0.9, "s", {}, remedies=remedies) for code in codes]
    return Report("some", Run(), Outcome(tuple(found), clean), "sick" if codes else "healthy")


def tried(
    monkeypatch: pytest.MonkeyPatch, made: Course, *, before: Report, then: Report
) -> list[tuple[str, list[Attempt]]]:
    """Return the attempts by finding of a course whose every new training is judged the same."""
    monkeypatch.setattr("dlcheck.treatment.course.judged", lambda *_: then)
    monkeypatch.setattr("dlcheck.treatment.course.examined", lambda *_, **__: Run())
    made.forget()
    made.before = before
    made.treat()
    return [(one.finding.code, list(one.attempts)) for one in made.rounds]


LOWER = (Remedy("a lower rate", {"optimizer.lr": 0.5}),)
SOUGHT = (Remedy("a searched rate", {"optimizer.lr": 0.2}, search="optimizer.lr"),)


def test_what_a_search_suggests_twice_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = course(tmp_path, (0.9,) * 5, (0.9,) * 5, budget=Budget(20.0), known=0)
    before = report("C404", "G305", remedies=SOUGHT)
    (_, first), (_, second) = tried(monkeypatch, whole, before=before, then=before)
    assert [one.fate for one in first] == [Fate.NO_BETTER]
    assert [(one.fate, one.reason) for one in second] == [(Fate.NOT_TRIED, "the same was tried already")]
    assert whole.trainings.purse.cost == 2.0


@pytest.mark.parametrize(
    ("after", "then", "fate"),
    [
        (0.9, report(), Fate.KEPT),
        (0.5, report(clean=("C404",)), Fate.HIDES),
        (0.5, report(), Fate.NO_BETTER),  # not looked at again: nothing is known to be gone
        (0.5, report("C404"), Fate.NO_BETTER),
        (0.2, report("C404"), Fate.WORSE),
        (float("nan"), report(), Fate.DIED),
    ],
)
def test_fates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: float, then: Report, fate: Fate) -> None:
    whole = course(tmp_path, (0.5,) * 5, (after,) * 5, budget=Budget(20.0), known=0)
    before = report("C404", remedies=LOWER)
    ((_, attempts),) = tried(monkeypatch, whole, before=before, then=then)
    assert attempts[0].fate is fate
    assert bool(whole.changes) is (fate is Fate.KEPT)
    assert whole.trainings.purse.cost <= 4.0


def test_a_finding_that_comes_back_with_the_cure_is_treated_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = course(tmp_path, (0.5,) * 5, (0.9,) * 5, budget=Budget(20.0), known=0)
    before = report("C404", remedies=LOWER)
    rounds = tried(monkeypatch, whole, before=before, then=report("C404", remedies=SOUGHT))
    assert [code for code, _ in rounds] == ["C404", "C404"]
    assert rounds[0][1][0].fate is Fate.KEPT
    assert [one.path for one in whole.changes] == ["optimizer.lr"]


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"title": "another", "expect": "90 %"}, True),
        ({"optimizer.lr": 0.3}, False),
        ({"model.hidden": [7]}, False),
        ({"train.seed": 3}, False),
        ({"regularize.l2": 0.1}, False),
        ({"schedule.warmup": 1.0}, False),
    ],
)
def test_recipes_are_one_where_they_train_the_same(tmp_path: Path, changes: dict[str, object], same: bool) -> None:
    old = course(tmp_path, (0.5,) * 5, (0.5,) * 5, budget=Budget(20.0), known=0).original.recipe
    assert (content_key(patched(old, changes)) == content_key(old)) is same


def test_a_default_that_is_written_out_makes_no_other_recipe(tmp_path: Path) -> None:
    old = course(tmp_path, (0.5,) * 5, (0.5,) * 5, budget=Budget(20.0), known=0).original.recipe
    assert content_key(patched(old, {"regularize.l2": old.regularize.l2})) == content_key(old)


def test_a_plan_names_a_remedy_once(tmp_path: Path) -> None:
    whole = course(tmp_path, (0.5,) * 5, (0.5,) * 5, budget=Budget(20.0), known=0)
    whole.forget()
    whole.before = report("C404", "G305", remedies=(*LOWER, *SOUGHT))
    assert [one.remedy for one in whole.plan()] == ["a lower rate", "a searched rate"]
    assert whole.trainings.purse.cost == 0.0


def test_what_is_no_proved_gain_over_the_original_is_not_told_as_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = course(tmp_path, (0.5,) * 5, (0.9,) * 5, budget=Budget(20.0), known=0)
    tried(monkeypatch, whole, before=report("C404", remedies=LOWER), then=report())
    assert [one.fate for one in whole.rounds[0].attempts] == [Fate.KEPT]
    whole.forget()
    assert [one.fate for one in whole.rounds[0].attempts] == [Fate.NO_BETTER]
    assert not whole.changes
    assert whole.now is whole.original


LONGER = tuple(Remedy(f"{epochs} epochs", {"train.epochs": epochs}) for epochs in (20, 40, 80))
WORTH = {10: 0.3, 20: 0.8, 40: 0.95, 80: 0.95}
"""Of a recipe by its epochs."""


@pytest.mark.parametrize("lengthened", [True, False])
def test_a_lengthened_training_goes_on_while_its_loss_falls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lengthened: bool
) -> None:
    whole = course(tmp_path, (0.0,) * 8, (0.0,) * 8, budget=Budget(epochs=4000.0), known=0)
    assert isinstance(whole.trainings, Scored)
    whole.trainings.scores = lambda loaded, _: (
        WORTH[loaded.recipe.train.epochs] + (0.5 if loaded.recipe.optimizer.lr == 0.5 else 0.0)
    )
    falls = Finding("C412", "undertrained", Severity.INFO, 0.9, "still falling", {}, remedies=LONGER)
    then = Report("some", Run(), Outcome((falls,)), "healthy")
    found = tried(monkeypatch, whole, before=report("C404", remedies=LONGER[:1] if lengthened else LOWER), then=then)
    assert [code for code, _ in found] == (["C404", "C412", "C412"] if lengthened else ["C404"])
    assert whole.now.recipe.train.epochs == (40 if lengthened else 10)
    assert [attempt.fate for _, attempts in found for attempt in attempts if attempt.proof] == (
        [Fate.KEPT, Fate.KEPT, Fate.NO_BETTER] if lengthened else [Fate.KEPT]
    )


@pytest.mark.parametrize(
    ("before", "gained", "shares"),
    [
        (0.1, 0.0, [1.0, 0.5]),
        (0.1, 0.019, [1.0, 0.5]),
        (0.1, 0.05, [1.0, 1.0]),  # it was still learning
        (0.1, float("nan"), [1.0, 1.0]),  # nobody knows
        (0.75, 0.0, [1.0, 1.0]),  # near enough to be overtaken
    ],
)
def test_what_was_settled_far_below_is_trained_half_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: float, gained: float, shares: list[float]
) -> None:
    whole = course(tmp_path, (before,) * 8, (0.9,) * 8, budget=Budget(20.0), known=0)
    made: list[float] = []

    def trained(self: Scored, loaded: LoadedRecipe, seed: int, *, use: str, label: str, share: float = 1.0) -> Training:
        if loaded is whole.original and not self.known(loaded, seed):
            made.append(share)
        self.made.add((content_key(loaded.recipe), seed))
        return Training("", seed, self.folder, self.scores(loaded, seed), whole=share == 1.0)

    monkeypatch.setattr(Scored, "whole", trained)
    monkeypatch.setattr(Scored, "short", trained)
    monkeypatch.setattr(Scored, "gained", lambda *_: gained)
    monkeypatch.setattr(Scored, "reached", lambda self, loaded, seed: self.scores(loaded, seed))
    tried(monkeypatch, whole, before=report("C404", remedies=LOWER), then=report())
    assert made[:2] == shares
    assert whole.halved is (0.5 in shares)
