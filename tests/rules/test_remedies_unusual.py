"""A key far from its usual range is the first suspect."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcheck.recipe import load_recipe, shipped_recipes
from dlcheck.recipe.patch import patched
from dlcheck.recipe.recipe import Recipe
from dlcheck.rules import all_rules, diagnose
from dlcheck.rules.prescription import RATE
from dlcheck.rules.present import Present
from dlcheck.rules.unusual import rates, restoring, suspects, unusual
from dlcheck.rules.usual import GENERAL, PULLED, USUAL
from tests.rules.examples import SICK

PLAIN: Mapping[str, Mapping[str, object]] = {"data": {"name": "digits"}, "model": {"name": "mlp"}}
FAULTS: Mapping[str, tuple[str, Mapping[str, object], Mapping[str, object]]] = {
    "rate far too high": ("G304", {"optimizer.lr": 5.0}, {"optimizer.lr": 0.001}),
    "rate far too low": ("G305", {"optimizer.lr": 1e-7}, {"optimizer.lr": 0.001}),
    "no scaling": ("D102", {"data.normalize": "none"}, {"data.normalize": "standardize"}),
    "no shuffling": ("D109", {"data.shuffle": False}, {"data.shuffle": True}),
    "zeros": ("M202", {"init.name": "zeros"}, {"init.name": "default"}),
    "constants": ("M202", {"init.name": "constant"}, {"init.name": "default"}),
    "wide start": ("M203", {"init.name": "normal", "init.std": 3.0}, {"init.name": "default"}),
    "narrow start": ("C405", {"init.name": "uniform", "init.std": 1e-5}, {"init.name": "default"}),
    "gain": ("M201", {"init.name": "he", "init.gain": 30.0}, {"init.gain": 1.0}),
    "dropout": ("M215", {"model.dropout": 0.95}, {"model.dropout": 0.0}),
    "sigmoid": ("G303", {"model.activation": "sigmoid"}, {"model.activation": "relu"}),
    "too deep": ("G303", {"model.hidden": [32] * 9}, {"model.hidden": [128, 64]}),
    "too small": ("C408", {"model.hidden": [64, 1]}, {"model.hidden": [128, 64]}),
    "frozen": ("M207", {"model.train_stages": "head"}, {"model.train_stages": "all"}),
    "decay": ("G313", {"optimizer.weight_decay": 3.0}, {"optimizer.weight_decay": 0.0}),
    "decoupled decay": (
        "G313",
        {"optimizer.name": "adamw", "optimizer.weight_decay": 40.0},
        {"optimizer.weight_decay": 0.0},
    ),
    "momentum": ("G316", {"optimizer.name": "momentum", "optimizer.momentum": 0.999}, {"optimizer.momentum": 0.9}),
    "epsilon": ("C405", {"optimizer.eps": 1.0}, {"optimizer.eps": 1e-8}),
    "betas": ("G316", {"optimizer.betas": [0.9, 0.1]}, {"optimizer.betas": [0.9, 0.999]}),
    "penalty 1": ("G304", {"regularize.l1": 0.1}, {"regularize.l1": 0.0}),
    "penalty 2": ("C406", {"regularize.l2": 5.0}, {"regularize.l2": 0.0}),
    "short weights": ("C406", {"regularize.max_norm": 0.01}, {"regularize.max_norm": 3.0}),
    "smoothing": ("C408", {"regularize.label_smoothing": 0.95}, {"regularize.label_smoothing": 0.0}),
    "noise": ("C408", {"regularize.input_noise": 5.0}, {"regularize.input_noise": 0.0}),
    "augmentation": ("C408", {"augment.noise": 2.0}, {"augment.noise": 0.0}),
    "loss": ("C408", {"loss.name": "hinge"}, {"loss.name": "auto"}),
    "clipping": ("G308", {"train.clip_norm": 1e-4}, {"train.clip_norm": 1.0}),
    "slow average": (
        "C412",
        {"regularize.average": "ema", "regularize.average_decay": 0.99999},
        {"regularize.average": "none"},
    ),
    "few epochs": ("C412", {"train.epochs": 1}, {"train.epochs": 20}),
    "one batch": ("C405", {"train.batch_size": "full"}, {"train.batch_size": 64}),
    "one sample": ("M210", {"train.batch_size": 1}, {"train.batch_size": 64}),
    "half precision": ("G309", {"train.precision": "fp16"}, {"train.precision": "fp32"}),
    "collapse": ("C405", {"schedule.name": "exponential", "schedule.gamma": 0.1}, {"schedule.name": "cosine"}),
    "late cuts": ("C412", {"schedule.name": "multistep", "schedule.milestones": [1]}, {"schedule.name": "cosine"}),
    "long warm-up": ("C405", {"schedule.warmup": 19.0}, {"schedule.warmup": 0.0}),
}


def sick(values: Mapping[str, object]) -> Recipe:
    return patched(Recipe.model_validate(PLAIN), values)


def seen(recipe: Recipe) -> Present:
    return Present(recipe.model_dump(mode="json", exclude_unset=True))


@pytest.mark.parametrize(("code", "values", "cure"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_one_key_is_cured_by_that_key_first(
    code: str, values: Mapping[str, object], cure: Mapping[str, object]
) -> None:
    recipe = sick(values)
    first = restoring(seen(recipe), code)[0]
    assert first.patch == cure
    assert unusual(seen(patched(recipe, first.patch)), code) == ()
    assert first.search == (RATE if RATE in cure else "")
    if code in SICK:
        run = replace(SICK[code], meta={"recipe": recipe.model_dump(mode="json", exclude_unset=True)})
        (finding,) = diagnose(run, select=[code]).findings
        assert finding.remedies[0] == first
        assert not any(set(remedy.patch) == set(cure) for remedy in finding.remedies[1:])


@pytest.mark.parametrize("name", shipped_recipes())
def test_nothing_is_unusual_in_the_recipes_that_ship(name: str) -> None:
    recipe = seen(load_recipe(name).recipe)
    assert not [item for code in GENERAL for item in unusual(recipe, code)]


def test_a_recipe_in_full_is_judged_as_one_that_leaves_out_its_defaults() -> None:
    recipe = sick({"optimizer.eps": 1.0, "regularize.l2": 1.0})
    whole = Present(recipe.model_dump(mode="json", exclude_none=True))
    assert unusual(whole, "C405") == unusual(seen(recipe), "C405")


def test_what_blows_up_is_not_blamed_on_limits_and_too_few_steps() -> None:
    recipe = seen(sick({"train.epochs": 1, "train.clip_norm": 1e-5, "regularize.label_smoothing": 0.9}))
    assert restoring(recipe, "C401") == ()
    assert {path for remedy in restoring(recipe, "C406") for path in remedy.patch} == {
        "train.epochs",
        "train.clip_norm",
        "regularize.label_smoothing",
    }


def test_of_several_unusual_keys_each_is_set_back_alone_and_then_all_together() -> None:
    recipe = sick({"optimizer.lr": 1e-8, "init.name": "zeros", "regularize.l2": 9.0})
    remedies = restoring(seen(recipe), "C406")
    assert [len(remedy.patch) for remedy in remedies] == [1, 1, 3]
    assert remedies[-1].search == RATE
    assert unusual(seen(patched(recipe, remedies[-1].patch)), "C406") == ()


def test_the_first_cause_comes_before_what_lies_farther_out() -> None:
    recipe = seen(sick({"optimizer.lr": 0.1, "regularize.l1": 50.0}))
    assert [item.path for item in unusual(recipe, "G304")] == ["optimizer.lr", "regularize.l1"]
    assert [item.path for item in unusual(recipe, "C408")] == ["regularize.l1", "optimizer.lr"]


def test_partial_and_foreign_recipes_have_nothing_unusual_that_is_not_known() -> None:
    assert unusual(Present({"model": {"target": "my:Net", "dropout": 0.99}}), "M215") == ()
    assert unusual(Present({"optimizer": {"name": "mine", "lr": 9.0}}), "C404") == ()
    assert restoring(None, "C404") == ()


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.text(max_size=3), st.integers(), st.floats(), st.lists(st.integers() | st.floats())
)
PATHS = sorted({usual.path for usual in USUAL} | {"schedule.gamma", "schedule.decay", "schedule.every", "init.std"})
NAMES = {
    "schedule": ["step", "multistep", "exponential", "inverse_time", "constant"],
    "init": ["normal", "he", "zeros"],
    "optimizer": ["adam", "momentum", "rmsprop"],
    "model": ["mlp", "cnn", "lstm"],
}


@settings(max_examples=40)
@given(data=st.data())
def test_whatever_stands_in_a_recipe_is_looked_at_without_harm(data: st.DataObject) -> None:
    recipe: dict[str, dict[str, object]] = {"data": {"name": "digits"}, "train": {}}
    recipe |= {section: {"name": data.draw(st.sampled_from(names))} for section, names in NAMES.items()}
    for path in data.draw(st.lists(st.sampled_from(PATHS), max_size=6)):
        section, _, key = path.partition(".")
        recipe.setdefault(section, {})[key.partition(".")[0]] = data.draw(ANYTHING)
    for code in ("C401", "C405", "G304", "M203"):
        found = unusual(Present(recipe), code)
        assert all(item.distance > 0 for item in found)
        run = replace(SICK[code], meta={"recipe": recipe})
        assert diagnose(run, select=[code]).crashed == ()


def test_only_findings_of_a_training_have_suspects() -> None:
    assert suspects("G313")[:1] == ("optimizer.weight_decay",)
    assert suspects("D106") == suspects("P501") == suspects("S601") == ()
    assert set(GENERAL) | set(PULLED) <= set(all_rules())
    assert all(usual.source and (usual.odd or usual.low is not None or usual.high is not None) for usual in USUAL)


@pytest.mark.parametrize(
    ("schedule", "course"),
    [
        ({"name": "constant"}, None),
        ({"name": "exponential", "gamma": 0.5}, [1, 0.5, 0.25, 0.125]),
        ({"name": "step", "every": 2, "gamma": 0.1}, [1, 1, 0.1, 0.1]),
        ({"name": "multistep", "milestones": [1, 3], "gamma": 0.1}, [1, 0.1, 0.1, 0.01]),
        ({"name": "inverse_time", "decay": 1.0}, [1, 1 / 2, 1 / 3, 1 / 4]),
        ({"name": "exponential", "gamma": 1e200}, [1, 1e200, float("inf"), float("inf")]),
    ],
)
def test_the_rates_of_a_schedule(schedule: Mapping[str, object], course: list[float] | None) -> None:
    found = rates(Present({"schedule": schedule, "train": {"epochs": 4}}))
    assert found == (None if course is None else pytest.approx(course))


@pytest.mark.parametrize(
    ("epochs", "schedule", "starves"),
    [
        (6, {"name": "exponential", "gamma": 0.1}, True),
        (30, {"name": "exponential", "gamma": 0.5}, True),
        (20, {"name": "exponential", "gamma": 0.95}, False),
        (20, {"name": "step", "every": 1}, True),
        (20, {"name": "step", "every": 10}, False),
        (30, {"name": "multistep", "milestones": [15, 25]}, False),
        (30, {"name": "cosine"}, False),
    ],
)
def test_a_schedule_that_leaves_most_of_the_run_without_a_rate_is_unusual(
    epochs: int, schedule: Mapping[str, object], starves: bool
) -> None:
    recipe = Present({"schedule": schedule, "train": {"epochs": epochs}})
    assert any(item.path == "schedule.name" for item in unusual(recipe, "C408")) is starves


@pytest.mark.parametrize(("steps", "epochs"), [(None, 20), (1, 50), (2, 50), (10, 30), (14, 22), (20, 20), (1000, 20)])
def test_epochs_that_are_few_steps_are_many(steps: int | None, epochs: int) -> None:
    recipe = Present({**PLAIN, "train": {"epochs": 1}}, steps)
    assert restoring(recipe, "C412")[0].patch == {"train.epochs": epochs}
