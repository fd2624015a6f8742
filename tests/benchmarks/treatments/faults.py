"""Faults that a recipe can express, each as a patch of a healthy one."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dlcheck.recipe import Recipe
from dlcheck.recipe.patch import value_at
from tests.benchmarks.treatments.programs import PROGRAMS, TUNED, halves

Patch = dict[str, object]
CHOICE_SEED = 8
"""Draws the programs of each fault."""
ADAMS = ("adam", "adamw")
SORTED = ("iris", "wine")
"""Data that comes class by class."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake, and where it can be made."""

    name: str
    patch: Callable[[Recipe], Patch | None]
    """Of a healthy recipe; None: it cannot be made there."""


def _sets(patch: Mapping[str, object]) -> Callable[[Recipe], Patch | None]:
    return lambda recipe: dict(patch)


def _rate(factor: float) -> Callable[[Recipe], Patch | None]:
    return lambda recipe: {"optimizer.lr": float(f"{recipe.optimizer.lr * factor:.3g}")}


def _has(keys: tuple[str, ...], patch: Mapping[str, object]) -> Callable[[Recipe], Patch | None]:
    """Make it only where the recipe's components have these keys."""
    return lambda recipe: dict(patch) if all(_known(recipe, key) for key in keys) else None


def _by(names: tuple[str, ...], patch: Mapping[str, object]) -> Callable[[Recipe], Patch | None]:
    return lambda recipe: dict(patch) if recipe.optimizer.name in names else None


def _of(data: tuple[str, ...], patch: Mapping[str, object]) -> Callable[[Recipe], Patch | None]:
    return lambda recipe: dict(patch) if recipe.data.name in data else None


def _classes(patch: Mapping[str, object]) -> Callable[[Recipe], Patch | None]:
    return lambda recipe: dict(patch) if recipe.data.name not in ("diabetes", "linear") else None


def _mlp(patch: Mapping[str, object]) -> Callable[[Recipe], Patch | None]:
    return lambda recipe: dict(patch) if recipe.model.name == "mlp" else None


def _epochs(epochs: int, more: Mapping[str, object]) -> Callable[[Recipe], Patch | None]:
    return lambda recipe: {"train.epochs": epochs, **more}


def _tiny(recipe: Recipe) -> Patch | None:
    return {"model.hidden": [1]} if recipe.model.name == "mlp" else None


def _known(recipe: Recipe, path: str) -> bool:
    return value_at(recipe, path) is not None


DEEP = {"model.hidden": [32] * 8, "model.activation": "sigmoid", "model.norm": "none"}
TINY = {"model.norm": "batch", "train.batch_size": 2, "train.drop_last": True}
_ALL = (
    Fault("rate x30", _rate(30)),
    Fault("rate x1000", _rate(1000)),
    Fault("rate /100", _rate(1e-2)),
    Fault("rate /10000", _rate(1e-4)),
    Fault("data not normalised", _of(("wine", "breast_cancer", "diabetes", "digits"), {"data.normalize": "none"})),
    Fault("sorted data not shuffled", _of(SORTED, {"data.shuffle": False})),
    Fault("weights all zero", _sets({"init.name": "zeros"})),
    Fault("weights all the same", _sets({"init.name": "constant", "init.value": 0.5})),
    Fault("weights start too large", _sets({"init.name": "normal", "init.std": 3.0})),
    Fault("weights start too small", _sets({"init.name": "normal", "init.std": 1e-4})),
    Fault("deep sigmoids", _mlp(DEEP)),
    Fault("dropout 0.95", _has(("model.dropout",), {"model.dropout": 0.95})),
    Fault("weight decay absurd", _by(("sgd", "momentum", "adamw", "rmsprop", "adam"), {"optimizer.weight_decay": 5.0})),
    Fault("L2 absurd", _sets({"regularize.l2": 2.0})),
    Fault("L1 absurd", _sets({"regularize.l1": 0.5})),
    Fault("gradients clipped to nothing", _by(("sgd", "momentum"), {"train.clip_norm": 1e-4})),
    Fault("momentum 0.999", _by(("momentum",), {"optimizer.momentum": 0.999})),
    Fault("eps 10", _by((*ADAMS, "rmsprop"), {"optimizer.eps": 10.0})),
    Fault("betas odd", _by(ADAMS, {"optimizer.betas": [0.9999, 0.1]})),
    Fault("label smoothing 0.97", _classes({"regularize.label_smoothing": 0.97})),
    Fault("input noise 10", _sets({"regularize.input_noise": 10.0})),
    Fault("weight noise 3", _sets({"regularize.weight_noise": 3.0})),
    Fault("dropconnect 0.97", _sets({"regularize.dropconnect": 0.97})),
    Fault("augmented beyond recognition", _of(("digits",), {"augment.noise": 8.0, "augment.rotate": 180.0})),
    Fault("one step an epoch", _epochs(4, {"train.batch_size": "full"})),
    Fault("batch norm on tiny batches", _has(("model.norm",), TINY)),
    Fault("too few epochs", _epochs(1, {"train.batch_size": 256})),
    Fault("schedule collapses", _sets({"schedule.name": "exponential", "schedule.gamma": 0.05})),
    Fault("warm-up longer than the run", _sets({"schedule.warmup": 5000.0})),
    Fault("max norm tiny", _sets({"regularize.max_norm": 0.02})),
    Fault("mean absolute error for classes", _classes({"loss.name": "mae"})),
    Fault("network too small", _tiny),
    Fault("mixup 50 and decay", _classes({"regularize.mixup": 50.0, "regularize.l2": 0.3})),
    Fault("averaged from the first step on", _sets({"regularize.average": "ema", "regularize.average_decay": 0.99999})),
    Fault("only the head is trained", _mlp({"model.train_stages": "head", "init.name": "normal", "init.std": 1e-3})),
    Fault("saturated tanh", _mlp({"model.activation": "tanh", "init.name": "normal", "init.std": 5.0})),
)
FAULTS = {one.name: one for one in _ALL}


def places(fault: Fault, half: str) -> list[str]:
    """Return the programs of a half that can have a fault, in a drawn order."""
    of = halves()
    names = [name for name in sorted(PROGRAMS) if of[name] == half and _fits(fault, name)]
    random.Random(f"{CHOICE_SEED} {fault.name} {half == TUNED}").shuffle(names)
    return names


def _fits(fault: Fault, name: str) -> bool:
    return fault.patch(PROGRAMS[name].recipe().recipe) is not None
