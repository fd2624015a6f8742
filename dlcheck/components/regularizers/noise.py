"""Gaussian noise on weights and on inputs."""

import torch
from torch import Tensor, nn

from dlcheck.components.batches import Batch
from dlcheck.components.regularizers.hook import StepHook
from dlcheck.errors import DlcheckError


class WeightNoise(StepHook):
    """Adds Gaussian noise to the weights while gradients are computed, and restores them for the update.

    (Graves 2011, NIPS, "Practical variational inference for neural networks".) Restored from a copy, the
    weights are the same bit for bit. All batches of a step see the same noise.
    """

    def __init__(self, parameters: list[nn.Parameter], deviation: float) -> None:
        self.parameters = parameters
        self.deviation = deviation
        self._noisy: list[Tensor] = []
        self._clean: list[Tensor] = []

    @torch.no_grad()
    def before_gradients(self) -> None:
        """Add noise to the trainable ones, unless they are noisy already."""
        if not self._noisy:
            self._noisy = [parameter for parameter in self.parameters if parameter.requires_grad]
            self._clean = [parameter.detach().clone() for parameter in self._noisy]
            noise = [torch.randn_like(parameter) for parameter in self._noisy]
            torch._foreach_add_(self._noisy, noise, alpha=self.deviation)

    @torch.no_grad()
    def after_backward(self) -> None:
        """Restore the weights."""
        if self._noisy:
            torch._foreach_copy_(self._noisy, self._clean)
            self._noisy, self._clean = [], []


class InputNoise(StepHook):
    """Adds Gaussian noise to floating-point inputs; targets stay clean (Bishop 1995, Neural Computation 7).

    For reconstruction this is a denoising autoencoder (Vincent et al. 2008, ICML).
    """

    def __init__(self, deviation: float) -> None:
        self.deviation = deviation

    def before_forward(self, batch: Batch) -> Batch:
        """Return the batch with noise.

        Raises:
            DlcheckError: no input is floating-point.
        """
        *inputs, target = batch
        if not any(item.is_floating_point() for item in inputs):
            raise DlcheckError("regularize.input_noise: the inputs are codes, noise needs floating-point ones")
        return (*(self._add(item) for item in inputs), target)

    def _add(self, item: Tensor) -> Tensor:
        if not item.is_floating_point():
            return item
        return item.add(torch.randn_like(item), alpha=self.deviation)
