"""Patients: from a recipe, or from a factory of the user's own."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dlcheck.checks.foreign import ForeignBatches
from dlcheck.checks.patient import Patient, answer
from dlcheck.components.optimizers import build_optimizer
from dlcheck.components.target import call_target
from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe import LoadedRecipe
from dlcheck.recipe.resolve import resolve
from dlcheck.training.assemble import assemble
from dlcheck.training.device import choose_device, seed_everything

NAMES: dict[str, tuple[str, ...]] = {
    "model": ("model",),
    "loss": ("loss", "loss_fn", "criterion"),
    "train": ("train", "train_loader"),
    "optimizer": ("optimizer", "optimizers"),
    "val": ("val", "val_loader"),
    "test": ("test", "test_loader"),
    "train_step": ("train_step",),
    "evaluate": ("evaluate",),
}
"""What a factory returns, by any of these names; the first four it must."""
REQUIRED = ("model", "loss", "train", "optimizer")


def admit_recipe(loaded: LoadedRecipe, device: str = "auto") -> Patient:
    """Build what a recipe describes, as its training would begin.

    Raises:
        DlcheckError: the recipe's parts do not fit together, or its data is missing or unusable.
    """
    recipe, place = resolve(loaded), choose_device(device)
    parts = assemble(recipe, folder=loaded.folder, device=place)
    optimizer = build_optimizer(recipe.optimizer, parts.model, folder=parts.folder, lr_factors=parts.lr_factors)
    return Patient(
        name=loaded.name,
        model=parts.model,
        loss=parts.loss,
        optimizers=(optimizer,),
        train=parts.data.train,
        val=parts.data.val,
        test=parts.data.test,
        info=parts.data.info,
        parts=parts,
        recipe=recipe,
        seed=recipe.train.seed,
        device=place,
    )


def admit_factory(target: str, *, folder: Path, seed: int = 0, device: str = "auto") -> Patient:
    """Call a factory ``package.module:function`` and take what it returns: a mapping or an object.

    ``model``, ``loss`` (called with output and target), ``train`` (an iterable of batches, inputs first and the
    target last) and ``optimizer`` it must have; ``val``, ``test``, ``train_step`` (called with a batch) and
    ``evaluate`` (called without arguments) it may. Names such as ``train_loader`` and ``criterion`` do too.

    Raises:
        DlcheckError: it does not import, raises, or returns something else; names what is missing.
    """
    place = choose_device(device)
    seed_everything(seed)
    parts = _parts(call_target(target, folder), target)
    model = parts["model"]
    if device != "auto":
        model.to(place)
    loss = parts["loss"]
    where = next((tensor.device for tensor in model.parameters()), place)
    if isinstance(loss, nn.Module):
        loss.to(where)
    splits = {name: _split(parts.get(name), name, target) for name in ("train", "val", "test")}
    train = splits["train"]
    assert train is not None
    _try(model, loss, train, target)
    return Patient(
        name=target,
        model=model,
        loss=loss,
        optimizers=parts["optimizer"],
        train=train,
        val=splits["val"],
        test=splits["test"],
        seed=seed,
        device=where,
        train_step=parts.get("train_step"),
        evaluate=parts.get("evaluate"),
    )


def _try(model: nn.Module, loss: Any, train: ForeignBatches, target: str) -> None:
    """Send the first batch through model and loss, so that what does not fit is told in one line."""
    first = next(train.epoch(0), None)
    if first is None:
        raise DlcheckError(f"{target}: train has no batches")
    where = next((tensor.device for tensor in model.parameters()), first[0].device)
    *inputs, wanted = (tensor.to(where) for tensor in first)
    modes = {module: module.training for module in model.modules()}
    model.eval()  # running statistics stay as they are
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _fit(model, loss, inputs, wanted, target)
    finally:
        for module, training in modes.items():
            module.training = training


def _fit(model: nn.Module, loss: Any, inputs: list[torch.Tensor], wanted: torch.Tensor, target: str) -> None:
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in inputs)
    try:
        output = model(*inputs)
    except Exception as error:  # whatever the user's code raises is bad input to us
        raise DlcheckError(f"{target}: the model does not take inputs of shape {shapes}: {one_line(error)}") from error
    found = answer(output)
    shown = type(output).__name__ if found is None else f"of shape {tuple(found.shape)}"
    try:
        value = loss(output, wanted)
    except Exception as error:
        raise DlcheckError(
            f"{target}: the loss does not take this output, {shown}, and targets of shape {tuple(wanted.shape)}: "
            f"{one_line(error)}"
        ) from error
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        kind = f"shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise DlcheckError(f"{target}: the loss returned {kind}, expected one number, the mean over the batch")


def _parts(found: object, target: str) -> dict[str, Any]:
    given = found if isinstance(found, Mapping) else {name: getattr(found, name) for name in _known(found)}
    parts = {
        part: given[name]
        for part, names in NAMES.items()
        if (name := next((name for name in names if given.get(name) is not None), None)) is not None
    }
    missing = [part for part in REQUIRED if part not in parts]
    if missing:
        kind = f"{type(found).__name__} with {', '.join(map(str, given)) or 'none of them'}"
        raise DlcheckError(
            f"{target} returned {kind}: {' and '.join(missing)} missing; it must return model, loss, train and "
            "optimizer, and may return val, test, train_step and evaluate"
        )
    if not isinstance(parts["model"], nn.Module):
        raise DlcheckError(f"{target}: model is {type(parts['model']).__name__}, expected a torch.nn.Module")
    for name in ("loss", "train_step", "evaluate"):
        if name in parts and not callable(parts[name]):
            raise DlcheckError(f"{target}: {name} is {type(parts[name]).__name__}, expected something to call")
    parts["optimizer"] = _optimizers(parts["optimizer"], target)
    return parts


def _known(found: object) -> list[str]:
    return [name for names in NAMES.values() for name in names if hasattr(found, name)]


def _optimizers(given: object, target: str) -> tuple[torch.optim.Optimizer, ...]:
    several = tuple(given) if isinstance(given, list | tuple) else (given,)
    for one in several or (given,):
        if not isinstance(one, torch.optim.Optimizer):
            raise DlcheckError(f"{target}: optimizer is {type(one).__name__}, expected a torch.optim.Optimizer")
    return several


def _split(given: object, name: str, target: str) -> ForeignBatches | None:
    return None if given is None else ForeignBatches(given, f"{target}: {name}")
