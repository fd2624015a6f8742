"""What takes a recipe or settings from a person: whole files, overrides, search spaces, ``[tool.dlcheck]``."""

from __future__ import annotations

import math
from pathlib import Path

from dlcheck.diagnosis.settings import Settings, project_settings, refuse_unknown
from dlcheck.errors import DlcheckError
from dlcheck.recipe.dump import dump_recipe
from dlcheck.recipe.load import LoadedRecipe, load_recipe, parse_recipe
from dlcheck.recipe.recipe import Recipe
from dlcheck.recipe.shipped import shipped_recipes, sick_recipes
from dlcheck.recipe.tune import read_budget
from dlcheck.tuning.space import build_space, distributions, own_point
from tests.fuzz.target import Target

BASE = '[data]\nname = "digits"\n[model]\nname = "mlp"\n[optimizer]\nname = "adamw"\nlr = 0.01\n[train]\nepochs = 2\n'
OVERRIDES = (
    "optimizer.lr=0.1\noptimizer.name=sgd\ntrain.epochs=3",
    'model={name="mlp", hidden=[64, 32]}\naugment.shift=0.1',
    "train.seed=0\nmodel.hidden=[1]\noptimizer.betas=[0.9,0.99]\ndata.path=é",
    "loss.target=mine:Loss\nschedule.name=cosine\nregularize.mixup=nan\nrules.select=['C4']",
)
SEARCHES = (
    '[search]\n"optimizer.lr" = { log = [1e-4, 1e-1] }\n"optimizer.name" = { choice = ["sgd", "adamw"] }\n',
    '[search]\n"model.hidden.0" = { pow2 = [16, 256] }\n"train.batch_size" = { choice = [16, 32] }\n',
    '[search]\n"optimizer.name" = { choice = ["momentum", "adamw"] }\n'
    '"optimizer.momentum" = { near_one = [0.5, 0.99], when = { "optimizer.name" = "momentum" } }\n'
    '"optimizer.lr" = [{ times = [0.1, 10.0], when = { "optimizer.name" = "adamw" } },'
    ' { float = [0.1, 1.0], log = true, when = { "optimizer.name" = "momentum" } }]\n',
    '[search]\n"optimizer.weight_decay" = { log = [1e-6, 1e-2], or_zero = true }\n'
    '"regularize.clip" = { int = [1, 3] }\n'
    '[tune]\nmetric = ["val_loss", "seconds"]\nbudget = "2h"\ntrials = 9\n[tune.limits]\nstep_ms_max = 3.0\n',
)
SETTINGS = (
    '[tool.dlcheck]\nselect = ["C4", "R701"]\nignore = ["C407"]\nfail-on = "warning"\n'
    "[tool.dlcheck.thresholds.C409]\nrise = 0.5\n",
    '[tool.dlcheck]\nfail_on = "never"\n[tool.other]\na = nan\n',
)
BUDGETS = ("360 epochs", "2h", "30m", "90s", "1.5 h", "0 epochs")


def recipe_targets() -> list[Target]:
    """Return a target for each way in."""
    return [
        Target("recipe", _recipe, _recipes),
        Target("override", _override, lambda: [one.encode() for one in OVERRIDES]),
        Target("search-space", _search, lambda: [one.encode() for one in SEARCHES]),
        Target("settings", _settings, lambda: [one.encode() for one in SETTINGS]),
        Target("budget", _budget, lambda: [one.encode() for one in BUDGETS]),
    ]


def _recipes() -> list[bytes]:
    shipped = (shipped_recipes() | sick_recipes()).values()
    return [path.read_bytes() for path in shipped] + [(BASE + one).encode() for one in SEARCHES]


def _recipe(content: bytes, folder: Path) -> None:
    path = folder / "recipe.toml"
    path.write_bytes(content)
    check_again(load_recipe(path))


def check_again(loaded: LoadedRecipe) -> None:
    """Hold a recipe to what it promises: written down, it loads to an equal one.

    Raises:
        AssertionError: it does not.
    """
    for defaults in (True, False):
        text = dump_recipe(loaded.recipe, loaded.name, defaults=defaults)
        again = parse_recipe(text, "again").recipe
        assert _plain(again) == _plain(loaded.recipe), text


def _plain(recipe: Recipe) -> str:
    return repr(recipe.model_dump())  # by its spelling, in which NaN is equal to itself


def _override(content: bytes, folder: Path) -> None:
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    check_again(parse_recipe(BASE, "base", overrides=lines))


def _search(content: bytes, folder: Path) -> None:
    text = content.decode("utf-8", "replace")
    recipe = parse_recipe(BASE + text, "base").recipe
    space = build_space(recipe)
    own_point(recipe, space)
    for name, entry in space.items():
        assert distributions(name, entry)


def _settings(content: bytes, folder: Path) -> None:
    (folder / "pyproject.toml").write_bytes(content)
    settings = project_settings(folder)
    refuse_unknown(settings)
    assert isinstance(settings.over(Settings()), Settings)


def _budget(content: bytes, folder: Path) -> None:
    try:
        epochs, seconds = read_budget(content.decode("utf-8", "replace"))
    except ValueError as error:  # which the schema turns into one line
        raise DlcheckError(str(error)) from None
    assert (epochs is None) != (seconds is None)
    assert (epochs or seconds or 0) > 0
    assert seconds is None or math.isfinite(seconds)
