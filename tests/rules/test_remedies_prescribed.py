"""What rules prescribe meets recipes of every kind."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.findings import Effect, Remedy
from dlcheck.recipe import load_recipe
from dlcheck.recipe.patch import patched, value_at
from dlcheck.recipe.recipe import Recipe
from dlcheck.rules import Rule, all_rules, diagnose, explain
from dlcheck.rules.prescription import (
    MOST,
    RATE,
    Prescription,
    absolute,
    chosen,
    fitting,
    prescribed,
    resolved,
)
from dlcheck.rules.present import Present
from dlcheck.runs import Run
from dlcheck.runs.signals import SIGNALS
from tests.rules.examples import SICK

RULES = [pytest.param(rule, id=code) for code, rule in all_rules().items() if rule.prescriptions]
BASES: Mapping[str, Mapping[str, object]] = {
    "pictures, convolutions": {
        "data": {"name": "digits"},
        "model": {"name": "cnn", "activation": "sigmoid", "dropout": 0.5, "train_stages": "head"},
        "train": {"precision": "fp16", "batch_size": 8},
        "schedule": {"name": "step", "every": 1},
    },
    "table, perceptron": {
        "data": {"name": "wine", "normalize": "none", "shuffle": False},
        "model": {"name": "mlp", "hidden": [3], "norm": "batch"},
        "init": {"name": "zeros"},
        "optimizer": {"name": "momentum", "lr": 3.0, "momentum": 0.999, "weight_decay": 2.0},
        "regularize": {"l1": 1.0, "l2": 3.0, "max_norm": 0.01, "label_smoothing": 0.9},
    },
    "numbers, deep tanh": {
        "data": {"name": "diabetes"},
        "model": {"name": "mlp", "hidden": [32] * 8, "activation": "tanh"},
        "optimizer": {"name": "adamw", "eps": 1.0, "betas": [0.999, 0.1], "weight_decay": 5.0},
        "train": {"epochs": 2, "batch_size": "full", "clip_norm": 1e-4},
    },
    "text, transformer": {"data": {"name": "text", "path": "x.txt"}, "model": {"name": "transformer"}},
    "series, recurrent": {
        "data": {"name": "time_series", "path": "x.csv", "column": "y"},
        "model": {"name": "lstm", "hidden": 2},
        "optimizer": {"name": "lbfgs"},
        "schedule": {"name": "exponential", "gamma": 0.1, "warmup": 15.0},
    },
    "the user's own": {
        "data": {"target": "my:data"},
        "model": {"target": "my:Net"},
        "optimizer": {"target": "my:Opt"},
        "loss": {"target": "my:loss"},
        "init": {"target": "my:init"},
        "schedule": {"target": "my:schedule"},
    },
}


@pytest.fixture(params=list(BASES.values()), ids=list(BASES))
def base(request: pytest.FixtureRequest) -> Recipe:
    raw: Mapping[str, object] = request.param
    return Recipe.model_validate(raw)


def judged(code: str, recipe: Recipe) -> list[Remedy]:
    run = replace(SICK[code], meta={"recipe": recipe.model_dump(mode="json", exclude_unset=True)})
    return [remedy for finding in diagnose(run, select=[code]).findings for remedy in finding.remedies]


@pytest.mark.parametrize("code", [code for code in all_rules() if code[0] in "DMGC"])
def test_every_patch_fits_its_recipe_and_changes_it(code: str, base: Recipe) -> None:
    remedies = judged(code, base)
    assert len(remedies) <= MOST
    assert len({remedy.text for remedy in remedies}) == len(remedies)
    for remedy in remedies:
        after = patched(base, remedy.patch)
        for path, value in remedy.patch.items():
            assert value != value_at(base, path), (remedy.text, path)
            assert value_at(after, path) == value
        assert not remedy.search or remedy.search in remedy.patch


@pytest.mark.parametrize("rule", RULES)
def test_a_prescription_names_signals_that_exist(rule: Rule) -> None:
    effects = [effect for item in rule.prescriptions for effect in item.expects]
    assert {effect.signal for effect in effects} <= set(SIGNALS)
    assert {effect.change for effect in effects} <= {"falls", "rises", "finite", "steady"}
    assert all(item.expects or item.hides for item in rule.prescriptions if item.patch)


@pytest.mark.parametrize("rule", RULES)
def test_a_page_lists_what_is_prescribed_in_order(rule: Rule) -> None:
    page = explain(rule.code)
    places = [page.index(f"- {item.text}") for item in rule.prescriptions]
    assert places == sorted(places)


def test_rates_are_searched_for_wherever_one_is_prescribed() -> None:
    rates = [item for rule in all_rules().values() for item in rule.prescriptions if RATE in item.patch]
    assert len(rates) > 10
    assert {item.search for item in rates} == {RATE}


def test_stopping_earlier_hides_an_overfit_and_comes_after_what_cures_it() -> None:
    remedies = judged("C409", load_recipe("digits", ["train.patience=5"]).recipe)
    assert not any(remedy.hides for remedy in remedies)
    bare = Recipe.model_validate({"data": {"name": "wine"}, "model": {"name": "mlp"}})
    found = judged("C409", bare)
    hides = [bool(remedy.hides) for remedy in found]
    assert hides.count(True) == 1
    assert not hides[0]
    assert {"regularize.l2": 0.001} in [remedy.patch for remedy in found]


def test_relative_values_are_multiplied_and_absolute_ones_are_not() -> None:
    recipe = Present({"optimizer": {"name": "adam", "lr": 0.03}, "model": {"name": "mlp", "hidden": [9, 1]}})
    times = Prescription("x", {"optimizer.lr": "*0.1", "model.hidden": "*0.5", "train.epochs": "*2"})
    assert resolved(times, recipe) == Remedy("x", {"optimizer.lr": 0.003, "model.hidden": [4, 1], "train.epochs": 40})
    assert resolved(Prescription("x", {"train.epochs": 20}), recipe) is None
    assert resolved(Prescription("x", {"train.batch_size": "*2"}), Present({"train": {"batch_size": "full"}})) is None


@given(
    now=st.floats(min_value=1e-300, max_value=1e300),
    times=st.floats(min_value=1e-6, max_value=1e6).map(lambda value: float(f"{value:g}")),
)
def test_a_multiplied_rate_is_positive_finite_and_right_to_two_digits(now: float, times: float) -> None:
    found = absolute(f"*{times:g}", now)
    if now * times in (0.0, float("inf")):
        assert found is None
    elif 1e-290 < now * times < 1e290:
        assert isinstance(found, float)
        assert found == pytest.approx(now * times, rel=0.06)


@given(now=st.integers(min_value=1, max_value=10**6), times=st.floats(min_value=0.001, max_value=100))
def test_a_multiplied_count_stays_a_count(now: int, times: float) -> None:
    found = absolute(f"*{times:g}", now)
    assert isinstance(found, int)
    assert found >= 1


CONDITIONS = {
    "set already": (Prescription("x", {"train.clip_norm": 1.0}, unless=("train.clip_value",)), False),
    "no such key": (Prescription("x", {"schedule.gamma": 0.5}), False),
    "another task": (Prescription("x", {"loss.delta": 2.0}, only_if={"task": ("regression",)}), False),
    "its task": (Prescription("x", {"loss.delta": 2.0}, only_if={"task": ("classification",)}), True),
    "pictures": (Prescription("x", {"augment.rotate": 5.0}, only_if={"images": (True,)}), True),
    "the same value": (Prescription("x", {"model.dropout": 0.0}), False),
    "words for none but tables": (Prescription("x", only_if={"images": (False,)}), False),
    "words": (Prescription("x"), True),
}


@pytest.mark.parametrize(("item", "suits"), CONDITIONS.values(), ids=CONDITIONS)
def test_a_condition_decides(item: Prescription, suits: bool) -> None:
    recipe = {"data": {"name": "digits"}, "model": {"name": "mlp"}, "train": {"clip_value": 0.5}}
    found = resolved(item, Present(recipe))
    assert (found is not None) is suits
    assert found is None or dict(found.patch) == dict(item.patch)


def test_without_a_recipe_or_its_section_words_stand_alone() -> None:
    item = Prescription("x", {"model.dropout": 0.2}, expects=(Effect("val_loss", "falls"),), hides="y")
    words = Remedy("x", expects=item.expects, hides="y")
    assert prescribed(Run(), item) == (words,)
    assert resolved(item, Present({"optimizer": {"lr": 0.1}})) == words
    assert prescribed(Run(), Prescription("turn images", {"augment.rotate": 5.0}, only_if={"images": (True,)})) == ()


def test_a_rules_own_remedy_loses_what_its_recipe_lacks_or_has() -> None:
    recipe = Present({"data": {"name": "wine"}, "model": {"name": "transformer"}})
    mixed = Remedy("x", {"model.norm": "batch", "model.dropout": 0.2, "train.epochs": 20}, search="train.epochs")
    assert fitting(mixed, recipe) == Remedy("x", {"model.dropout": 0.2})
    assert fitting(Remedy("x", {"model.norm": "batch"}), recipe) is None
    assert fitting(Remedy("x", {"tune.trials": 40}), recipe) == Remedy("x", {"tune.trials": 40})


def test_what_is_said_or_set_twice_stands_once() -> None:
    remedies = [Remedy("a", {"train.epochs": 2}), Remedy("b", {"train.epochs": 2}), Remedy("a"), Remedy("c")]
    assert [remedy.text for remedy in chosen(remedies)] == ["a", "c"]
    assert len(chosen(Remedy(str(number)) for number in range(9))) == MOST
