"""A doctor that changes a key at random, and keeps what the same proof calls better."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.recipe import LoadedRecipe, Recipe
from dlcheck.recipe.patch import patched, value_at
from dlcheck.treatment.budget import Budget, Purse
from dlcheck.treatment.proof import decide, next_seeds, prove
from dlcheck.treatment.trainings import Trainings

KEYS: Mapping[str, tuple[object, ...]] = {
    "optimizer.name": ("sgd", "momentum", "adam", "adamw", "rmsprop"),
    "optimizer.weight_decay": (0.0, 1e-4, 1e-2),
    "optimizer.momentum": (0.0, 0.5, 0.9),
    "optimizer.betas": ([0.9, 0.999], [0.9, 0.99]),
    "optimizer.eps": (1e-8, 1e-6),
    "init.name": ("default", "he", "xavier", "orthogonal"),
    "model.activation": ("relu", "leaky_relu", "elu", "tanh"),
    "model.norm": ("none", "batch", "layer"),
    "model.dropout": (0.0, 0.2, 0.5),
    "model.hidden": ([32], [64], [128, 64], [32, 32]),
    "model.train_stages": ("all",),
    "data.normalize": ("standardize", "minmax"),
    "data.shuffle": (True,),
    "loss.name": ("auto",),
    "regularize.l1": (0.0, 1e-5),
    "regularize.l2": (0.0, 1e-4, 1e-2),
    "regularize.max_norm": (3.0, 10.0),
    "regularize.label_smoothing": (0.0, 0.1),
    "regularize.input_noise": (0.0, 0.1),
    "regularize.weight_noise": (0.0,),
    "regularize.dropconnect": (0.0, 0.2),
    "regularize.mixup": (0.0, 0.2),
    "regularize.average": ("none", "swa"),
    "augment.noise": (0.0, 0.1),
    "augment.rotate": (0.0, 10.0),
    "schedule.name": ("constant", "cosine"),
    "schedule.warmup": (0.0, 1.0),
    "train.clip_norm": (1.0, 10.0),
    "train.batch_size": (16, 32, 64, 128),
}
"""Every key that a fault of the benchmark uses or a remedy sets, with usual values: the right one is always there."""
RATES = (0.001, 0.01, 0.1, 0.3, 3.0, 10.0, 100.0)
LONGER = (2, 4)
DRAWS = 200


def treated_by_chance(
    loaded: LoadedRecipe, budget: float, folder: Path, chance: random.Random
) -> tuple[LoadedRecipe, float]:
    """Try random patches until the budget is spent; return what was kept, and the cost.

    Args:
        loaded: The recipe.
        budget: In whole trainings.
        folder: For its trainings.
        chance: Draws the patches.
    """
    purse = Purse(Budget(trainings=budget))
    trainings, base = Trainings(folder, "cpu", purse, lambda words: None), loaded
    trainings.whole(loaded, loaded.recipe.train.seed, use="diagnosis", label="")
    for _ in range(DRAWS):
        recipe = drawn(base.recipe, chance)
        if recipe is None:
            continue
        tried = replace(base, recipe=recipe)
        if not purse.allows(trainings.cost(tried)):
            break
        if _better(base, tried, trainings):
            base = tried
    return base, purse.cost


def drawn(recipe: Recipe, chance: random.Random) -> Recipe | None:
    """Return the recipe with one key changed at random; None where that is no change or does not fit."""
    path = chance.choice(["optimizer.lr", "train.epochs", *KEYS])
    if path == "optimizer.lr":
        value: object = recipe.optimizer.lr * chance.choice(RATES)
    elif path == "train.epochs":
        value = recipe.train.epochs * chance.choice(LONGER)
    else:
        value = chance.choice(KEYS[path])
    if value == value_at(recipe, path):
        return None
    try:
        return patched(recipe, {path: value})
    except DlcheckError:
        return None


def _better(base: LoadedRecipe, tried: LoadedRecipe, trainings: Trainings) -> bool:
    first, before, after, count = base.recipe.train.seed, list[float](), list[float](), 1
    while True:
        for seed in range(first + len(after), first + count):
            asked = [one for one in (base, tried) if not trainings.known(one, seed)]
            if not trainings.purse.allows(sum(trainings.cost(one) for one in asked)):
                return False
            try:
                after.append(trainings.whole(tried, seed, use="proof", label="").score)
            except (DlcheckError, RuntimeError, ValueError):
                return False
            before.append(trainings.whole(base, seed, use="proof", label="").score)
        proof = prove(trainings.score, before, after, seeds=tuple(range(first, first + count)))
        decision = decide(trainings.score, proof)
        if decision != "more seeds":
            return decision == "better"
        count = next_seeds(count)
