"""One number a person understands: the share of right answers, or the mean error in the target's own unit."""

from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional

from dlcheck.components.info import DataInfo
from dlcheck.components.losses.build import outputs_needed
from dlcheck.components.losses.classification import PADDING
from dlcheck.recipe.optimizer import CustomLoss, LossSection


class Metric:
    """Sums over batches: add up what ``update`` returns, and divide the first entry by the second."""

    name: str
    greater_is_better: bool

    @abstractmethod
    def update(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the tensor [sum, count] of a batch, on its device; never waits for the device."""


class Accuracy(Metric):
    """Share of samples (tokens, for text) whose largest output is the target, or a probability target's largest.

    A single output counts as a logit of the second of two classes. Targets of −100 do not count if ``padded``.
    """

    name = "accuracy"
    greater_is_better = True

    def __init__(self, *, padded: bool = False) -> None:
        self.padded = padded

    @torch.no_grad()
    def update(self, output: Tensor, target: Tensor) -> Tensor:
        """Return [right answers, answers]."""
        if output.ndim == 1 or output.shape[-1] == 1:
            return BinaryAccuracy().update(output, target)
        if target.ndim == output.ndim:
            target = target.argmax(-1)
        right = output.argmax(-1) == target
        if self.padded:
            return torch.stack((right.sum(), (target != PADDING).sum())).float()
        return _with_count(right.sum(dtype=torch.float32), right.numel())


class BinaryAccuracy(Metric):
    """Share of right signs of logits: one output for two classes, (batch, 1) or (batch,)."""

    name = "accuracy"
    greater_is_better = True

    @torch.no_grad()
    def update(self, output: Tensor, target: Tensor) -> Tensor:
        """Return [right answers, answers]; a target of shape (batch, 2) holds both probabilities."""
        if target.ndim == 2:
            target = target[:, 1]
        right = (output.flatten() > 0) == (target > 0.5)
        return _with_count(right.sum(dtype=torch.float32), right.numel())


class MeanAbsoluteError(Metric):
    """Mean of |output − target| · ``unit``, over all numbers of all samples."""

    name = "mae"
    greater_is_better = False

    def __init__(self, unit: float = 1.0) -> None:
        self.unit = unit

    @torch.no_grad()
    def update(self, output: Tensor, target: Tensor) -> Tensor:
        """Return [sum of errors, numbers]."""
        error = (output.reshape(target.shape) - target).abs_().sum(dtype=torch.float32)
        return _with_count(error * self.unit, target.numel())


def _with_count(total: Tensor, count: int) -> Tensor:
    # pad() fills in on the device; a tensor made of a Python number would have to be copied there.
    return functional.pad(total.reshape(1), (0, 1), value=count)


def build_metric(info: DataInfo, section: LossSection | CustomLoss) -> Metric:
    """Build the metric of a task: accuracy for classes and tokens, else the mean absolute error.

    Regression's error is in the target's own unit: standardised targets are scaled back.
    """
    match info.task:
        case "classification" if outputs_needed(section, info) == 1:
            return BinaryAccuracy()
        case "classification":
            return Accuracy()
        case "language" | "caption":
            return Accuracy(padded=True)
        case "regression":
            return MeanAbsoluteError(info.target_std or 1.0)
    return MeanAbsoluteError()
