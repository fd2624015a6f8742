"""What the exams of data need to know of a patient beside its samples."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcheck.checks.data.read import read_splits
from dlcheck.checks.data.samples import Samples, Splits
from dlcheck.checks.exam import Skipped
from dlcheck.checks.patient import Patient, answer
from dlcheck.components.batches import Batches
from dlcheck.components.info import Task
from dlcheck.recipe import Recipe

NORMALISING = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)
IGNORED = -100
"""PyTorch's code of a target that is left out of the loss."""
_CLASSES: weakref.WeakKeyDictionary[Batches, int | None] = weakref.WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Labelled:
    """Samples of which each has one label, or one row of numbers to predict."""

    splits: Splits
    classes: int | None
    """None for numbers to predict."""

    @property
    def val(self) -> Samples:
        """The validation samples."""
        if self.splits.val is None:
            raise Skipped("no validation data")
        return self.splits.val


def task_of(patient: Patient) -> Task | None:
    """Return the task; None for a factory, which does not say."""
    return None if patient.info is None else patient.info.task


def labelled(patient: Patient) -> Labelled:
    """Return the samples with their labels.

    Raises:
        Skipped: there is not one label a sample, or inputs are codes rather than numbers.
    """
    task = task_of(patient)
    if task in ("language", "caption", "reconstruction"):
        raise Skipped({"reconstruction": "the input is its own target"}.get(task, "targets are texts"))
    splits = read_splits(patient)
    train = splits.train
    rows = train.target.reshape(len(train), -1)
    if train.target.dtype.kind in "iub" and rows.shape[1] != 1:
        raise Skipped("targets are no single labels")
    if train.inputs.dtype.kind != "f" or train.target.ndim > 2:
        raise Skipped("inputs are codes" if train.target.ndim <= 2 else "targets are no single labels")
    return Labelled(splits, classes_of(patient, train))


def classes_of(patient: Patient, train: Samples) -> int | None:
    """Return how many classes there are: a recipe says so, of a factory the network's output does."""
    if patient.info is not None:
        return patient.info.outputs if patient.info.task != "regression" else None
    if patient.train not in _CLASSES:
        _CLASSES[patient.train] = _classes_by_output(patient, train)
    return _CLASSES[patient.train]


def _classes_by_output(patient: Patient, train: Samples) -> int | None:
    target = train.target
    if target.dtype.kind == "f":
        return 2 if target.size == len(train) and np.isin(target, (0, 1)).all() else None
    patient.model.eval()
    *inputs, _ = patient.samples(2)
    with torch.no_grad():
        found: Any = answer(patient.predict(tuple(inputs)))
    width = found.shape[1] if found is not None and found.ndim > 1 else 1
    return max(2, int(width))


def is_series(patient: Patient) -> bool:
    """Return whether samples are windows of one series or text, that lie in time."""
    recipe = patient.recipe
    return recipe is not None and recipe.data.name in ("time_series", "text")


def normalises_first(model: nn.Module) -> bool:
    """Return whether the first layer that does anything to the input normalises it."""
    passive = (nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout)
    for module in model.modules():
        if next(module.children(), None) is None and not isinstance(module, passive) and module is not model:
            return isinstance(module, NORMALISING)
    return isinstance(model, NORMALISING)


def split_method(recipe: Recipe | None) -> str:
    """Return how validation samples were drawn, as far as the recipe tells; empty when it does not."""
    if recipe is None:
        return ""
    split, name = recipe.data.split, recipe.data.name
    if split.method != "auto":
        return str(split.method)
    if split.group is not None:
        return "group"
    if name in ("time_series", "text"):
        return "time"
    if name in ("custom", "arrays", "image_folder"):
        return ""  # they may come with a validation set of their own
    return "random" if name in ("diabetes", "linear") or recipe.data.task == "regression" else "stratified"


def feature_names(patient: Patient) -> tuple[str, ...]:
    """Return the names of a table's columns, where they are known."""
    return () if patient.info is None else patient.info.feature_names
