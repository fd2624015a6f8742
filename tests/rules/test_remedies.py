"""Every patch that a rule prescribes fits a recipe."""

import json

import pytest

from dlcheck.findings import Remedy
from dlcheck.recipe import load_recipe
from dlcheck.rules import all_rules, diagnose
from dlcheck.rules.ranking import EXPLAINS, rank_causes
from dlcheck.rules.remedy import patched, scaled_lr
from tests.rules.examples import FALLING, SICK, make_run


def remedies() -> list[tuple[str, Remedy]]:
    found = [item for run in SICK.values() for item in diagnose(run).findings]
    return [(item.code, remedy) for item in found for remedy in item.remedies if remedy.patch]


def test_patches_are_prescribed_by_many_rules() -> None:
    assert {"C401", "C402", "C403", "C404", "C405", "C409", "C419"} <= {code for code, _ in remedies()}


@pytest.mark.parametrize("recipe", ["digits"])
def test_a_recipe_takes_every_patch(recipe: str) -> None:
    for _, remedy in remedies():
        overrides = [f"{key}={json.dumps(value)}" for key, value in remedy.patch.items()]
        load_recipe(recipe, overrides)


def test_without_a_recipe_there_is_nothing_to_patch() -> None:
    run = make_run({"train_loss": FALLING})
    assert patched(run, "clip", {"train.clip_norm": 1.0}).patch == {}
    assert scaled_lr(run, 0.3).patch == {}


def test_the_table_of_causes_names_rules_and_families_that_exist() -> None:
    codes = {prefix for causes, effects in EXPLAINS for prefix in (*causes, *effects)}
    known = all_rules()
    assert not [code for code in codes if not code.startswith("P") and not any(one.startswith(code) for one in known)]


@pytest.mark.parametrize("code", SICK)
def test_every_finding_but_one_cause_is_explained_or_stands_alone(code: str) -> None:
    ranked = rank_causes(diagnose(SICK[code]).findings)
    primary = {item.code for item in ranked if item.primary}
    assert primary
    assert {item.explained_by for item in ranked if not item.primary} <= primary
