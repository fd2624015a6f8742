"""From a ``[loss]`` section to a loss."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dlcheck.components.info import DataInfo
from dlcheck.components.losses.classification import BinaryCrossEntropy, CrossEntropy, Hinge
from dlcheck.components.losses.loss import CustomLossModule, Loss
from dlcheck.components.losses.regression import RegressionLoss
from dlcheck.components.registry import Registry
from dlcheck.components.target import call_target, load_target
from dlcheck.errors import DlcheckError
from dlcheck.recipe.optimizer import CustomLoss, LossSection, Regularize

Builder = Callable[[Any, DataInfo, Regularize, Path], Loss]

LOSSES: Registry[Builder] = Registry("loss")

VALID = {
    "classification": ("cross_entropy", "bce", "hinge"),
    "regression": ("mse", "mae", "huber"),
    "reconstruction": ("mse", "mae", "huber", "bce"),
    "language": ("cross_entropy",),
    "caption": ("cross_entropy",),
}
"""Losses that fit each task; the first is what ``auto`` stands for."""


def build_loss(section: LossSection | CustomLoss, info: DataInfo, regularize: Regularize, *, folder: Path) -> Loss:
    """Build the loss of a section for the data's task.

    Args:
        section: the ``[loss]`` section.
        info: gives task, classes, and the class counts that balanced weights need.
        regularize: gives the label smoothing.
        folder: of the recipe, where the user's own code is looked for.

    Raises:
        DlcheckError: the loss does not fit the task, or it cannot smooth labels or weigh classes as asked.
    """
    return LOSSES.builder(section)(section, info, regularize, folder)


def loss_name(section: LossSection | CustomLoss, info: DataInfo) -> str:
    """Return the loss's name, with ``auto`` resolved by the task."""
    return VALID[info.task][0] if section.name == "auto" else section.name


def outputs_needed(section: LossSection | CustomLoss, info: DataInfo) -> int:
    """Return how many numbers a model must return a sample (or token): one for ``bce`` over two classes."""
    single = loss_name(section, info) == "bce" and info.task == "classification" and info.outputs == 2
    return 1 if single else info.outputs


@LOSSES.register(LossSection)
def _build_named(section: LossSection, info: DataInfo, regularize: Regularize, folder: Path) -> Loss:
    name = loss_name(section, info)
    if name not in VALID[info.task]:
        raise DlcheckError(
            f'loss.name = "{name}" does not fit {info.task} data; valid: auto, {", ".join(VALID[info.task])}'
        )
    smoothing = regularize.label_smoothing
    classes = info.outputs if info.task != "reconstruction" else None
    if smoothing and (classes is None or name not in ("cross_entropy", "bce")):
        raise DlcheckError(
            f"regularize.label_smoothing = {smoothing:g} needs classes and loss.name cross_entropy or bce, "
            f"here {name} for {info.task}"
        )
    if name in ("mse", "mae", "huber"):
        _refuse_weights(section, name)
        return RegressionLoss(name, _regression(name, section.delta))
    if name == "bce":
        if classes != 2:
            _refuse_weights(section, "bce of other than two classes")
        weights = class_weights(section, info) if classes == 2 else None
        return BinaryCrossEntropy(classes, weights=weights, smoothing=smoothing)
    if name == "hinge":
        return Hinge(info.outputs, margin=section.margin, weights=class_weights(section, info))
    return CrossEntropy(info.outputs, weights=class_weights(section, info), smoothing=smoothing)


def _regression(name: str, delta: float) -> Callable[[Tensor, Tensor], Tensor]:
    if name == "huber":
        return partial(functional.huber_loss, delta=delta)
    return functional.mse_loss if name == "mse" else functional.l1_loss


def _refuse_weights(section: LossSection, name: str) -> None:
    if section.class_weights != "none":
        raise DlcheckError(f'loss.class_weights does not go with {name}; set it to "none"')


def class_weights(section: LossSection, info: DataInfo) -> Tensor | None:
    """Return the weight of each class, None when all weigh the same.

    ``balanced`` is n / (classes · n_c), which leaves the mean weight of a training sample at 1 (King and Zeng
    2001, Political Analysis 9, as in scikit-learn); classes without a training sample get weight 0 and do not
    count as classes.

    Raises:
        DlcheckError: a list of another length than there are classes, or balanced without class counts.
    """
    given = section.class_weights
    if given == "none":
        return None
    if given != "balanced":
        if len(given) != info.outputs:
            raise DlcheckError(f"loss.class_weights has {len(given)} numbers, but there are {info.outputs} classes")
        return torch.tensor(given)
    counts = torch.tensor(info.class_counts, dtype=torch.float64)
    if len(counts) != info.outputs or not counts.sum():
        raise DlcheckError('loss.class_weights = "balanced" needs class counts, which this data does not have')
    present = counts > 0
    weights = torch.where(present, counts.sum() / (present.sum() * counts.clamp(min=1)), 0.0)
    return weights.float()


@LOSSES.register(CustomLoss)
def _build_custom(section: CustomLoss, info: DataInfo, regularize: Regularize, folder: Path) -> Loss:
    if regularize.label_smoothing:
        raise DlcheckError("regularize.label_smoothing does not reach a custom loss; smooth labels inside it")
    found = load_target(section.target, folder)
    if isinstance(found, type):
        found = call_target(section.target, folder, **section.arguments)
    elif section.arguments and not isinstance(found, nn.Module):
        found = partial(found, **section.arguments)
    if not callable(found):
        kind = type(found).__name__
        raise DlcheckError(f'loss.target = "{section.target}": expected a module or a function, got {kind}')
    return CustomLossModule(found, section.target)
