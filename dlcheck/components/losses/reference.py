"""What a loss comes to without any knowledge of the inputs: at the start, and at best."""

import math

import torch
from torch import Tensor
from torch.special import entr, xlogy

from dlcheck.components.info import DataInfo
from dlcheck.components.losses.classification import BinaryCrossEntropy, CrossEntropy, Hinge
from dlcheck.components.losses.loss import Loss


def expected_first_loss(loss: Loss, info: DataInfo) -> float | None:
    """Return the loss of an untrained network whose outputs are all equal to 0; None where data decides it.

    Cross-entropy ln(classes), binary cross-entropy ln 2, hinge margin · (classes − 1) / classes, squared
    error of standardised targets 1. Class weights and label smoothing change none of these.
    """
    match loss:
        case CrossEntropy():
            return math.log(loss.classes)
        case BinaryCrossEntropy():
            return math.log(2)
        case Hinge():
            return loss.margin * (loss.classes - 1) / loss.classes
    return _variance(loss, info)


def trivial_loss(loss: Loss, info: DataInfo) -> float | None:
    """Return the loss, over the training targets, of the best constant output; None where that is not known.

    For cross-entropy the entropy of the class frequencies, class weights and smoothing included; for the
    squared error of standardised targets their variance, 1.
    """
    counts = torch.tensor(info.class_counts, dtype=torch.float64)
    if isinstance(loss, CrossEntropy) and len(counts) == loss.classes and counts.sum():
        return _of_cross_entropy(loss, counts)
    if isinstance(loss, BinaryCrossEntropy) and len(counts) == loss.classes and counts.sum():
        return _of_bce(loss, counts)
    return _variance(loss, info)


def _of_cross_entropy(loss: CrossEntropy, counts: Tensor) -> float:
    # −Σ aₒ log qₒ is smallest at q = a / Σa; a holds what each class's −log q is multiplied by in the mean.
    weights = torch.ones_like(counts) if loss.weights is None else loss.weights.double().cpu()
    smooth = counts * (1 - loss.smoothing) + counts.sum() * loss.smoothing / loss.classes
    share = weights * smooth / (weights * counts).sum()
    return float((xlogy(share, share.sum()) - xlogy(share, share)).sum())


def _of_bce(loss: BinaryCrossEntropy, counts: Tensor) -> float:
    weights = torch.ones_like(counts) if loss.weights is None else loss.weights.double().cpu()
    share = weights * counts / (weights * counts).sum()
    share = share * (1 - loss.smoothing) + loss.smoothing / 2
    each = entr(share) + entr(1 - share)
    return float(each[1] if loss.classes == 2 else each.mean())


def _variance(loss: Loss, info: DataInfo) -> float | None:
    standardised = info.task == "regression" and info.target_std is not None
    return 1.0 if loss.name == "mse" and standardised else None
