"""What a recipe describes, as its training would begin."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dlcheck.checks.admit import admit_recipe
from dlcheck.components.batches import Batch
from dlcheck.components.optimizers import build_optimizer
from dlcheck.errors import DlcheckError
from dlcheck.recipe import LoadedRecipe
from dlcheck.training.trainer import Trainer
from dlcheck.tuning.rate.batches import Steps
from dlcheck.tuning.rate.shape import read_shape
from dlcheck.tuning.rate.subject import Subject


def recipe_subject(loaded: LoadedRecipe, device: str = "auto") -> Subject:
    """Build what a recipe describes: its own augmentation, loss, penalties, groups, accumulation and clipping.

    Where the recipe switches optimizers, the first one's rate is looked for.

    Raises:
        DlcheckError: the recipe's parts do not fit together, its data is missing, or its optimizer is L-BFGS, whose
            line search makes the rate another thing.
    """
    if loaded.recipe.optimizer.name == "lbfgs":
        raise DlcheckError(
            'optimizer.name = "lbfgs": its line search finds the length of each step by itself; leave optimizer.lr at 1'
        )
    patient = admit_recipe(loaded, device)
    parts, recipe = patient.parts, patient.recipe
    assert parts is not None
    assert recipe is not None
    trainer, section = Trainer(parts), recipe.optimizer

    def make(rate: float) -> torch.optim.Optimizer:
        changed = section.model_copy(update={"lr": rate})
        return build_optimizer(changed, parts.model, folder=parts.folder, lr_factors=parts.lr_factors)

    shape = read_shape(
        recipe.schedule, steps=trainer.total_steps, steps_per_epoch=trainer.steps_per_epoch, folder=parts.folder
    )
    return Subject(
        name=loaded.name,
        patient=patient,
        steps=Steps(parts.data.train, accumulate=recipe.train.accumulate, place=trainer.place),
        optimizer=make,
        shape=shape,
        rate=section.lr,
        train=recipe.train,
        hooks=parts.hooks,
        model=trainer.stepper.model,
        loss=parts.loss,
        prepare=_augmenting(parts.data.augment),
    )


def _augmenting(augment: Callable[[Tensor], Tensor] | None) -> Callable[[Batch], Batch]:
    if augment is None:
        return lambda batch: batch
    return lambda batch: (augment(batch[0]), *batch[1:])
