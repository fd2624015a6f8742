"""Mixup: train on mixtures of two samples and their targets."""

import torch
from torch import Tensor
from torch.nn import functional

from dlcheck.components.batches import Batch
from dlcheck.components.regularizers.hook import StepHook
from dlcheck.errors import DlcheckError


class Mixup(StepHook):
    """Replaces a batch by λ · batch + (1 − λ) · the batch in another order, λ ~ Beta(α, α) once a batch.

    Class codes become probabilities of shape (batch, classes); numbers are mixed as they are
    (Zhang et al. 2018, ICLR, arXiv 1710.09412).

    Args:
        alpha: α.
        classes: number of classes; None when targets are numbers.
    """

    def __init__(self, alpha: float, classes: int | None) -> None:
        self.law = torch.distributions.Beta(alpha, alpha)
        self.classes = classes

    def before_forward(self, batch: Batch) -> Batch:
        """Return the mixed batch.

        Raises:
            DlcheckError: an input is not floating-point.
        """
        *inputs, target = batch
        if not all(item.is_floating_point() for item in inputs):
            raise DlcheckError("regularize.mixup: the inputs are codes, mixing needs floating-point ones")
        if self.classes is not None and not target.is_floating_point():
            target = functional.one_hot(target, self.classes).to(inputs[0].dtype)
        share = float(self.law.sample())  # drawn on the CPU: no wait for a device
        order = torch.randperm(len(target), device=target.device)
        return tuple(_mix(item, order, share) for item in (*inputs, target))


def _mix(item: Tensor, order: Tensor, share: float) -> Tensor:
    return item[order].lerp_(item, share)
