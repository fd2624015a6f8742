"""From ``[search]`` to a study's parameters and back."""

import math

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.recipe import Recipe, parse_recipe
from dlcheck.recipe.patch import patched, value_at
from dlcheck.recipe.search import check_search
from dlcheck.recipe.shipped import shipped_recipes
from dlcheck.tuning.autospace import auto_space
from dlcheck.tuning.sampling import choose, derived_seed, make_pruner, make_sampler
from dlcheck.tuning.space import build_space, conditional, decode, distributions, grid, own_point, suggest
from dlcheck.tuning.told import penalty
from dlcheck.tuning.trials import SpaceEntry, decode_space, encode_space

HEAD = '[data]\nname = "digits"\n[model]\nname = "mlp"\nhidden = [32]\ndropout = 0.1\n[optimizer]\nname = "momentum"\n'
FULL = """
[search]
"optimizer.name" = { choice = ["momentum", "adamw"] }
"optimizer.lr" = { times = [0.01, 100.0] }
"optimizer.momentum" = { near_one = [0.5, 0.99], when = { "optimizer.name" = "momentum" } }
"optimizer.betas.0" = { near_one = [0.5, 0.99], when = { "optimizer.name" = "adamw" } }
"optimizer.weight_decay" = { log = [1e-6, 1e-1], or_zero = true }
"train.batch_size" = { pow2 = [16, 128] }
"model.hidden.0" = { int = [8, 64], log = true }
"model.norm" = { choice = ["none", "batch"] }
"model.dropout" = { float = [0.0, 0.5] }
"schedule.name" = { choice = ["constant", "step"], when = { "model.norm" = "batch" } }
"schedule.gamma" = { float = [0.1, 0.9], when = { "schedule.name" = "step" } }
"""
NAMES = [
    "optimizer.name",
    "times optimizer.lr",
    "1-optimizer.momentum@momentum",
    "1-optimizer.betas.0@adamw",
    "optimizer.weight_decay",
    "log2 train.batch_size",
    "model.hidden.0",
    "schedule.gamma@step",
]


def recipe(search: str = FULL, head: str = HEAD) -> Recipe:
    return parse_recipe(head + search, "my.toml").recipe


def draw(found: Recipe, space: dict[str, SpaceEntry], seed: int) -> tuple[dict[str, object], dict[str, object]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    return suggest(trial, space, found), trial.params


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_names_tell_conditions_and_scales_apart() -> None:
    assert set(NAMES) <= build_space(recipe()).keys()


@given(st.integers(0, 2**31))
def test_whatever_is_drawn_makes_a_valid_recipe_within_the_ranges(seed: int) -> None:
    found = recipe()
    values, raw = draw(found, build_space(found), seed)
    changed = patched(found, values)
    for path, value in values.items():
        assert value_at(changed, path) == value
    assert ("optimizer.momentum" in values) == (values["optimizer.name"] == "momentum")
    assert ("schedule.gamma" in values) == (values.get("schedule.name") == "step")
    assert values["train.batch_size"] in (16, 32, 64, 128)
    decay = float(str(values["optimizer.weight_decay"]))
    assert (decay == 0) == (raw["optimizer.weight_decay=0"] == "yes")
    assert decay == 0 or 1e-6 <= decay <= 1e-1
    near = values.get("optimizer.momentum", values.get("optimizer.betas.0"))
    assert 0.5 - 1e-12 <= float(str(near)) <= 0.99 + 1e-12


@given(st.integers(0, 2**31))
def test_a_drawn_recipe_lies_at_the_point_that_drew_it(seed: int) -> None:
    found = recipe(FULL.replace("times = [0.01, 100.0]", "log = [1e-4, 1.0]"))
    space = build_space(found)
    values, raw = draw(found, space, seed)
    again, outside = own_point(patched(found, values), build_space(found))
    assert not outside
    for name, value in raw.items():
        if isinstance(value, str):
            assert again[name] == value
        elif again.get("optimizer.weight_decay=0") != "yes" or name != "optimizer.weight_decay":
            assert math.isclose(float(str(again[name])), float(str(value)), rel_tol=1e-6)


def test_a_space_survives_being_stored() -> None:
    space = build_space(recipe())
    assert decode_space(encode_space(space)) == space


def test_a_recipe_outside_of_its_space_is_told_at_the_nearest_point() -> None:
    found = recipe('[search]\n"optimizer.lr" = { log = [0.1, 1.0] }\n"model.dropout" = { float = [0.0, 0.5] }\n')
    raw, outside = own_point(found, build_space(found))
    assert raw == {"optimizer.lr": 0.1, "model.dropout": 0.1}
    assert outside == ["optimizer.lr"]


@pytest.mark.parametrize(("name", "rate"), [("momentum", 0.01), ("sgd", 0.3), ("adamw", 0.003)])
def test_a_factor_multiplies_what_suits_the_component(name: str, rate: float) -> None:
    search = '[search]\n"optimizer.name" = { choice = ["momentum", "sgd", "adamw"] }\n'
    found = recipe(search + '"optimizer.lr" = { times = [0.1, 10.0] }\n')
    study = optuna.create_study()
    study.enqueue_trial({"optimizer.name": name, "times optimizer.lr": 2.0})
    values = suggest(study.ask(), build_space(found), found)
    assert math.isclose(float(str(values["optimizer.lr"])), 2 * rate)


def test_choices_of_any_type_come_back_as_they_were() -> None:
    choices = ["a", 1, 1.5, True, [64, 32]]
    entry = SpaceEntry("model.x", "choice", choices=tuple(choices))
    stored = distributions("model.x", entry)["model.x"]
    assert isinstance(stored, optuna.distributions.CategoricalDistribution)
    assert all(isinstance(text, str) for text in stored.choices)
    assert [decode("model.x", entry, {"model.x": text}, None) for text in stored.choices] == choices


@given(st.integers(1, 200))
def test_a_grid_has_at_most_as_many_points_as_asked_for(trials: int) -> None:
    found = recipe(
        '[search]\n"optimizer.lr" = { log = [1e-3, 1.0] }\n"model.dropout" = { float = [0.0, 0.5] }\n'
        '"train.batch_size" = { pow2 = [16, 64] }\n'
    )
    points = grid(build_space(found), trials)
    size = math.prod(len(values) for values in points.values())
    assert size <= max(trials, 8)
    for values in points.values():
        assert len(values) >= 2
        assert values == sorted(values)  # type: ignore[type-var]


@pytest.mark.parametrize("trials", [5, 12, 40])
@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_every_shipped_recipe_has_a_sound_space_of_its_own(name: str, trials: int) -> None:
    plain = parse_recipe(shipped_recipes()[name].read_text(encoding="utf-8"), name).recipe
    small = auto_space(plain, trials)
    assert next(iter(small)) == "optimizer.lr"
    assert (len(small) == 1) == (trials < 10)
    whole = plain.model_copy(update={"search": auto_space(plain, trials, architecture=True)})
    check_search(whole)
    space = build_space(whole)
    _, outside = own_point(whole, space)
    assert not outside
    for seed in range(5):
        patched(whole, draw(whole, space, seed)[0])


def test_architecture_is_searched_on_request_only() -> None:
    found = recipe("")
    assert not any(path.startswith("model.hidden") for path in auto_space(found, 40))
    assert "model.hidden.0" in auto_space(found, 40, architecture=True)


@pytest.mark.parametrize(
    ("epochs", "pruner"), [(1, "none"), (2, "none"), (3, "median"), (8, "median"), (9, "asha"), (100, "asha")]
)
def test_the_pruner_goes_by_the_epochs_and_says_so(epochs: int, pruner: str) -> None:
    found = choose("auto", "auto", space={}, epochs=epochs)
    assert (found.sampler, found.pruner) == ("tpe", pruner)
    assert "epochs" in found.why


@pytest.mark.parametrize("sampler", ["gp", "cmaes"])
def test_samplers_that_ignore_pruned_trials_go_without_a_pruner(sampler: str) -> None:
    assert choose(sampler, "auto", space={}, epochs=50).pruner == "none"
    with pytest.raises(DlcheckError, match="take --pruner none, or --sampler tpe"):
        choose(sampler, "asha", space={}, epochs=50)


def test_several_metrics_go_without_a_pruner() -> None:
    assert choose("auto", "auto", space={}, epochs=50, objectives=2).pruner == "none"
    with pytest.raises(DlcheckError, match="several metrics"):
        choose("auto", "asha", space={}, epochs=50, objectives=2)


def test_a_grid_of_a_conditional_space_is_refused() -> None:
    space = build_space(recipe())
    assert conditional(space)
    with pytest.raises(DlcheckError, match="a grid has no conditions"):
        choose("grid", "auto", space=space, epochs=5)


@pytest.mark.parametrize("name", ["tpe", "gp", "cmaes", "qmc", "random", "grid"])
def test_every_sampler_searches(name: str) -> None:
    found = recipe('[search]\n"optimizer.lr" = { log = [1e-3, 1.0] }\n"model.dropout" = { float = [0.0, 0.5] }\n')
    space = build_space(found)
    study = optuna.create_study(sampler=make_sampler(name, space, seed=1, trials=16))
    study.optimize(lambda trial: float(str(suggest(trial, space, found)["optimizer.lr"])), n_trials=12)
    assert len({trial.value for trial in study.trials}) >= 4


def test_hyperband_prunes_alike_in_studies_of_one_name() -> None:
    def states() -> list[str]:
        study = optuna.create_study(
            study_name="same", sampler=optuna.samplers.RandomSampler(seed=3), pruner=make_pruner("hyperband", 27)
        )

        def objective(trial: optuna.Trial) -> float:
            value = trial.suggest_float("x", 0, 1)
            for epoch in range(1, 28):
                trial.report(value / epoch, epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned
            return value

        study.optimize(objective, n_trials=20)
        return [trial.state.name for trial in study.trials]

    first = states()
    assert first == states()
    assert "PRUNED" in first


@given(st.lists(st.floats(allow_nan=True), max_size=8), st.booleans(), st.none() | st.floats(-5, 5))
def test_a_death_is_never_told_as_better_than_anything_known(
    values: list[float], minimize: bool, least: float | None
) -> None:
    told = penalty(values, minimize=minimize, least=least)
    known = [value for value in values if math.isfinite(value)] + ([least] if least is not None else [])
    assert (told is None) == (not known)
    if told is not None:
        assert math.isfinite(told)
        assert all(told >= value if minimize else told <= value for value in known)


def test_seeds_differ_for_every_worker_and_every_trial() -> None:
    assert len({derived_seed(0, worker, trial) for worker in range(8) for trial in range(100)}) == 800
