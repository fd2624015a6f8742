"""AutoTrainer's repairs in terms of a recipe: our re-implementation, no line of it is theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import torch

from dlcheck.errors import DlcheckError
from dlcheck.recipe import LoadedRecipe, Recipe
from dlcheck.recipe.patch import patched, value_at
from dlcheck.training.callbacks import Callback
from dlcheck.training.trainer import Trainer
from tests.benchmarks.faults.peers.autotrainer import AutoTrainer
from tests.benchmarks.faults.plan import Plan
from tests.benchmarks.treatments.train import Points, quiet, seeded, trained

Patch = dict[str, object]
LAW = {"relu": "he", "leaky_relu": "he", "elu": "he", "gelu": "he"}
BUILT_BADLY = (DlcheckError, RuntimeError, ValueError)


def repairs(fault: str, recipe: Recipe) -> list[Patch]:
    """Return the repairs of a fault in their order, as patches of this recipe.

    Source: Zhang et al., "AUTOTRAINER: An Automatic DNN Training Problem Detection and Repair System", ICSE 2021: other
    activations, batch normalisation, clipped gradients, other initial weights, larger batches, another rate and
    another optimizer, by the training problem. SELU, which a recipe does not have, is ELU here; the rates are divided
    or multiplied by ten. Which repairs a problem has and their order is our reading of the paper.

    Args:
        fault: ``vanish``, ``explode``, ``relu`` (dying), ``unstable`` (oscillating) or ``not_converge`` (slow).
        recipe: As it stands.
    """
    activation = str(value_at(recipe, "model.activation"))
    size = recipe.train.batch_size
    lines: Mapping[str, list[Patch]] = {
        "vanish": [_other(activation), {"model.norm": "batch"}, _start(activation)],
        "explode": [{"train.clip_norm": 1.0}, {"model.norm": "batch"}, _start(activation), _rate(recipe, 0.1)],
        "relu": [{"model.activation": "leaky_relu"}, {"model.norm": "batch"}, _start(activation), _rate(recipe, 0.1)],
        "unstable": [
            _rate(recipe, 0.1),
            {"train.batch_size": 2 * size if isinstance(size, int) else size},
            {"optimizer.name": "adam", "optimizer.lr": 0.001},
        ],
        "not_converge": [
            {"optimizer.name": "adam", "optimizer.lr": 0.001},
            _rate(recipe, 10.0),
            _start(activation),
        ],
    }
    return [patch for patch in lines[fault] if any(value_at(recipe, key) != new for key, new in patch.items())]


def _other(activation: str) -> Patch:
    return {"model.activation": "elu" if activation == "relu" else "relu"}


def _start(activation: str) -> Patch:
    return {"init.name": LAW.get(activation, "xavier")}


def _rate(recipe: Recipe, factor: float) -> Patch:
    return {"optimizer.lr": recipe.optimizer.lr * factor}


class Listening(Callback):
    """Lets the rules hear a training of a recipe."""

    def __init__(self) -> None:
        self.rules = AutoTrainer()

    def on_train_begin(self, trainer: Trainer) -> None:
        """Hang the rules on the model."""
        plan = cast(Plan, SimpleNamespace(model=trainer.model, epochs=trainer.train.epochs))
        self.rules.begin(plan, trainer.optimizer)

    def on_gradients(self, trainer: Trainer) -> None:
        """Show them the gradients."""
        self.rules.backward(trainer.state.step + 1, torch.zeros(()))

    def on_step_end(self, trainer: Trainer) -> None:
        """Show them the weights after the step; losses they read by the epoch."""
        self.rules.step(trainer.state.step, torch.zeros(()))

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Show them the row."""
        self.rules.epoch(int(metrics["epoch"]), metrics)

    def on_train_end(self, trainer: Trainer) -> None:
        """Let them end; a training that broke off is an exploded one."""
        self.rules.end()
        if trainer.stop == "non-finite loss" and not self.rules.told:
            self.rules.tell("explode", "the loss is not finite", severity="error")


def treated_by_autotrainer(loaded: LoadedRecipe, budget: float) -> tuple[LoadedRecipe, float, list[str]]:
    """Repair until no rule speaks, every repair was tried, or the budget is spent.

    A repair is kept where its training shows no fault; of those that do not get there the best is kept, if it is any
    better than the recipe was: one training each, no proof.

    Args:
        loaded: The recipe.
        budget: In whole trainings.

    Returns:
        What it hands back, the cost, and the faults that it saw.
    """
    first, fault = _looked_at(loaded)
    best, score, cost, seen = loaded, first, 1.0, [fault] if fault else []
    for patch in _until_found(fault, loaded.recipe):
        if cost + 1.0 > budget:
            break
        try:
            tried = replace(loaded, recipe=patched(loaded.recipe, patch))
            reached, fault = _looked_at(tried)
        except BUILT_BADLY:
            continue
        cost += 1.0
        if fault:
            seen.append(fault)
        if reached > score:
            best, score = tried, reached
        if not fault:
            return tried if reached >= first else best, cost, seen
    return best, cost, seen


def _until_found(fault: str, recipe: Recipe) -> Iterator[Patch]:
    yield from repairs(fault, recipe) if fault else []


def _looked_at(loaded: LoadedRecipe) -> tuple[float, str]:
    """Train a recipe under the rules; return its points and the fault that they saw."""
    kept, listening = Points(), Listening()
    recipe = seeded(loaded.recipe, loaded.recipe.train.seed)
    with quiet():
        trainer = trained(replace(loaded, recipe=recipe), [kept, listening])
    told: list[Any] = listening.rules.told
    return kept.of(trainer), str(told[0].code) if told else ""
