"""From a recipe to the parts of a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcheck.components.data import LoadedData, load_data
from dlcheck.components.initializers import initialize
from dlcheck.components.losses import build_loss, outputs_needed
from dlcheck.components.metrics import build_metric
from dlcheck.components.models import build_model
from dlcheck.components.regularizers import build_average, build_regularizers
from dlcheck.components.transfer import apply_transfer, load_weights, model_parts
from dlcheck.errors import DlcheckError
from dlcheck.recipe import Recipe
from dlcheck.training.device import seed_everything, set_deterministic, set_tf32
from dlcheck.training.placement import chosen_devices, place_parts
from dlcheck.training.preflight import check_fit
from dlcheck.training.threads import choose_threads
from dlcheck.training.trainer import Parts


def assemble(
    recipe: Recipe, *, folder: Path, device: torch.device, fold: int | None = None, fresh: bool = True
) -> Parts:
    """Build data, model, loss and everything between them, from the recipe's seed.

    Args:
        recipe: What to build.
        folder: Where the user's own code is looked for.
        device: Where to train.
        fold: The fold that validates, when cross-validating.
        fresh: Initialise the weights; False when a checkpoint will replace them all.

    Raises:
        DlcheckError: the recipe's parts do not fit together, or its data is missing or unusable.
    """
    _refuse_contradictions(recipe)
    seed_everything(recipe.train.seed)
    set_deterministic(recipe.train.deterministic)
    set_tf32(recipe.train.tf32)
    data = load_data(recipe, folder=folder, device=device, fold=fold)
    if data.val is None and (recipe.train.patience or recipe.schedule.name == "plateau"):
        raise DlcheckError("train.patience and the plateau schedule need validation data; set data.split.val")
    model = _build_model(recipe, data, folder, device, fresh)
    loss = build_loss(recipe.loss, data.info, recipe.regularize, folder=folder).to(device)
    check_fit(model, loss, data.sample)
    lr_factors = apply_transfer(model, recipe.model)
    total_steps = len(data.train) * recipe.train.epochs // recipe.train.accumulate
    choose_threads(recipe.train.threads, model, data.sample, recipe.train.batch_size)
    return Parts(
        recipe=recipe,
        folder=folder,
        device=device,
        data=data,
        model=model,
        loss=loss,
        metric=build_metric(data.info, recipe.loss),
        hooks=build_regularizers(recipe.regularize, model, data.info, loss.name),
        average=build_average(recipe.regularize, model, max(total_steps, 1)),
        lr_factors=lr_factors,
    )


def _build_model(recipe: Recipe, data: LoadedData, folder: Path, device: torch.device, fresh: bool) -> nn.Module:
    seed_everything(recipe.train.seed)  # the same weights whatever loading the data has drawn
    outputs = outputs_needed(recipe.loss, data.info)
    places = chosen_devices(recipe.model.device_map)
    # What outgrows one device is made in the machine's own memory.
    cradle = torch.device("cpu") if places else device
    model = build_model(recipe.model, data.info, folder=folder, outputs=outputs).to(cradle)
    if recipe.train.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if fresh:
        pretrained = recipe.model.weights is not None
        only = model_parts(model).head[1] if pretrained else None
        *inputs, _ = data.sample
        inputs = [tensor.to(cradle) for tensor in inputs]
        batches = (batch[0].to(cradle) for batch in data.train.epoch(0)) if recipe.init.name == "rbm" else None
        initialize(model, recipe.init, sample=tuple(inputs), train_inputs=batches, folder=folder, only=only)
        if pretrained:
            load_weights(model, recipe.model)
    return place_parts(model, places, device)


def _refuse_contradictions(recipe: Recipe) -> None:
    train = recipe.train
    if train.precision == "fp16" and recipe.optimizer.name == "lbfgs":
        raise DlcheckError("train.precision: fp16 needs a loss scaler, which lbfgs cannot use; take bf16 or fp32")
    if recipe.data.split.fold is not None and recipe.data.split.folds is None:
        raise DlcheckError("data.split.fold: needs data.split.folds")


def describe_model(model: nn.Module) -> Mapping[str, Any]:
    """Return parameter counts for reports: all, and those that train."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return {
        "parameters": sum(n for n, _ in sizes),
        "trained_parameters": sum(n for n, trains in sizes if trains),
    }
