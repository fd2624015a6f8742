"""Importances with intervals, at small numbers of trials."""

import builtins
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dlcheck.tuning import importance
from dlcheck.tuning.importance import importances
from dlcheck.tuning.trials import Ending, SpaceEntry, StudyView, TrialRow
from tests.tuning.views import DROPOUT, LR, NAME, died, row, view

MOMENTUM = SpaceEntry("optimizer.momentum", "near_one", 0.5, 0.99, log=True, when=((NAME, ("sgd",)),))
ZERO = SpaceEntry("optimizer.weight_decay", "log", 1e-6, 0.1, log=True, or_zero=True)


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance, "SAMPLES", 6)


def test_what_matters_comes_first_with_an_interval() -> None:
    found, note = importances(view(30, died(30, 0.9), died(31, 0.8)))
    assert [item.name for item in found] == [LR, DROPOUT]
    assert found[0].low <= found[0].value <= found[0].high <= 1
    assert found[0].low > found[1].high
    assert found[0].trials == 29
    assert note.startswith("from 29 finished trials")
    assert "2 that failed or were ended early are left out" in note


def test_the_same_study_has_the_same_importances() -> None:
    assert importances(view(20), seed=3) == importances(view(20), seed=3)


@pytest.mark.parametrize("count", [1, 2, 8])
def test_below_eight_finished_trials_there_are_none(count: int) -> None:
    found, note = importances(view(count, *(died(count + place, 0.5) for place in range(9))))
    assert found == ()
    assert f"from {count - 1} finished trials no importance can be told" in note


def test_trials_that_all_reached_the_same_tell_nothing() -> None:
    known = view(20)
    found, note = importances(replace(known, trials=tuple(replace(one, value=0.5) for one in known.trials)))
    assert found == ()
    assert "do not differ" in note


def conditional(rows: Sequence[TrialRow]) -> StudyView:
    """Return a study of two optimizers, of which one has a momentum."""
    name = SpaceEntry(NAME, "choice", choices=("adam", "sgd"))
    space = {NAME: name, LR: view().space[LR], "1-optimizer.momentum@sgd": MOMENTUM}
    changed: list[TrialRow] = []
    for one in rows:
        raw: dict[str, object] = {LR: one.raw[LR], NAME: "adam" if one.number % 3 else "sgd"}
        if raw[NAME] == "sgd":
            raw["1-optimizer.momentum@sgd"] = 0.01 + 0.01 * (one.number % 40)
        changed.append(replace(one, raw=raw))
    return replace(view(), space=space, trials=tuple(changed))


def test_a_conditional_parameter_is_judged_among_the_trials_that_have_it() -> None:
    found, _ = importances(conditional(view(60).trials))
    trials = {item.name: item.trials for item in found}
    assert trials == {NAME: 59, LR: 59, "1-optimizer.momentum@sgd": 19}


def test_a_conditional_parameter_of_few_trials_has_none() -> None:
    found, _ = importances(conditional(view(20).trials))
    assert {item.name for item in found} == {NAME, LR}


def test_a_range_with_zero_beside_it_is_one_parameter() -> None:
    known = view(20)
    name = "optimizer.weight_decay"
    rows = [
        replace(one, raw={**one.raw, name: 1e-3, f"{name}=0": "yes" if one.number % 2 else "no"})
        for one in known.trials
    ]
    found, _ = importances(replace(known, space={**known.space, name: ZERO}, trials=tuple(rows)))
    assert {item.name for item in found} == {LR, DROPOUT, name}


def test_without_scikit_learn_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def broken(name: str, *args: Any, **more: Any) -> Any:
        if name.startswith("optuna"):
            raise ImportError("No module named 'sklearn'")
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", broken)
    found, note = importances(view(20))
    assert found == ()
    assert note == "importances need scikit-learn, which does not load: No module named 'sklearn'"


def test_the_recipe_and_trials_over_a_limit_do_not_count() -> None:
    over = [row(20 + place, 0.5, 0.1, ending=Ending.limit) for place in range(4)]
    found, _ = importances(view(20, *over))
    assert found[0].trials == 19
