"""``dlcheck.lr_find``: for a recipe, a factory, or objects of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, overload

import torch
from torch import Tensor, nn

from dlcheck.checks.admit import admit_factory
from dlcheck.errors import DlcheckError
from dlcheck.recipe import LoadedRecipe, load_recipe
from dlcheck.recipe.code import is_factory
from dlcheck.recipe.train import Train
from dlcheck.tuning.rate.find import STEPS, Listener, find_rate
from dlcheck.tuning.rate.found import FoundRate
from dlcheck.tuning.rate.of_objects import objects_subject, patient_of
from dlcheck.tuning.rate.of_recipe import recipe_subject

LossFunction = Callable[[Any, Tensor], Tensor]


@overload
def lr_find(
    subject: str | Path | LoadedRecipe,
    *,
    overrides: Iterable[str] = (),
    seed: int | None = None,
    device: str = "auto",
    steps: int = STEPS,
    listener: Listener | None = None,
) -> FoundRate: ...
@overload
def lr_find(
    subject: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: object,
    loss: LossFunction,
    *,
    schedule: str | Mapping[str, object] = "constant",
    total_steps: int | None = None,
    accumulate: int = 1,
    clip_norm: float | None = None,
    seed: int | None = None,
    steps: int = STEPS,
    listener: Listener | None = None,
) -> FoundRate: ...
def lr_find(
    subject: str | Path | LoadedRecipe | nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    loader: object = None,
    loss: LossFunction | None = None,
    *,
    overrides: Iterable[str] = (),
    schedule: str | Mapping[str, object] = "constant",
    total_steps: int | None = None,
    accumulate: int = 1,
    clip_norm: float | None = None,
    seed: int | None = None,
    device: str = "auto",
    steps: int = STEPS,
    listener: Listener | None = None,
) -> FoundRate:
    """Look for a learning rate, and leave everything as it was, bit for bit.

    Weights, buffers, gradients, modes, the optimizer's state, all random streams and the order in which a loader's
    generators will draw are hashed before and after.

    Args:
        subject: A recipe's path, name or content, a factory ``package.module:function`` as ``dlcheck check`` takes
            it, or a model, which needs the three arguments that follow.
        optimizer: Over the model's parameters; groups keep the proportion of their rates.
        loader: Batches, inputs first and the target last.
        loss: Called with the model's output and the target; returns the mean over the batch.
        overrides: ``KEY=VALUE`` over the recipe.
        schedule: For a model: name or table of a schedule of recipes, under which it will train.
        total_steps: For a model: optimizer steps of the training to come; None: ten epochs.
        accumulate: For a model: batches in a step.
        clip_norm: For a model: largest norm of the gradient.
        seed: Of augmentation and dropout, and of a recipe's initialisation; None: the recipe's, or 0.
        device: For a recipe: ``auto``, ``cpu`` or ``cuda[:N]``; a model stays where it is.
        steps: Training steps in all, at most.
        listener: Told what is under way.

    Raises:
        DlcheckError: bad recipe, data or objects, or the user's code fails; one line that names what is at fault.
    """
    if isinstance(subject, str | Path | LoadedRecipe):
        if optimizer is not None or loader is not None or loss is not None:
            raise DlcheckError("lr_find: a recipe has its own optimizer, loader and loss; pass a model to bring yours")
        return _of_text(subject, list(overrides), seed, device=device, steps=steps, listener=listener)
    if optimizer is None or loader is None or loss is None:
        raise DlcheckError("lr_find: a model needs optimizer, loader and loss as well")
    patient = patient_of(subject, optimizer, loader, loss)
    patient.seed = seed or 0
    train = Train(accumulate=accumulate, clip_norm=clip_norm)
    own = objects_subject(patient, schedule=schedule, total_steps=total_steps, train=train)
    return find_rate(own, steps=steps, listener=listener)


def _of_text(
    subject: str | Path | LoadedRecipe,
    overrides: list[str],
    seed: int | None,
    *,
    device: str,
    steps: int,
    listener: Listener | None,
) -> FoundRate:
    if isinstance(subject, LoadedRecipe):
        if overrides or seed is not None:
            raise DlcheckError("lr_find: overrides and seed belong to load_recipe when the recipe is loaded already")
        return find_rate(recipe_subject(subject, device), steps=steps, listener=listener)
    if is_factory(str(subject)):
        if overrides:
            raise DlcheckError(f"--set changes keys of a recipe; {subject} is a factory")
        patient = admit_factory(str(subject), folder=Path.cwd(), seed=seed or 0, device=device)
        return find_rate(objects_subject(patient), steps=steps, listener=listener)
    changes = [*overrides, *([] if seed is None else [f"train.seed={seed}"])]
    return find_rate(recipe_subject(load_recipe(subject, changes), device), steps=steps, listener=listener)
