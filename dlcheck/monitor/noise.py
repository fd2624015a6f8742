"""Gradient noise: the batch size at which noise and gradient are equally large."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcheck.monitor.transfer import Transfer

MOST_NUMBERS = 20_000_000
"""Gradients with more numbers are not copied."""
KEEP = 0.9
"""Weight of what was known before a new pair: numerator and denominator are averaged apart, their ratio is biased."""
FAR = 0.01
"""Largest relative change of the weights between both gradients of a pair."""


class GradientNoise:
    """Compares the gradients of two steps in succession, at nearly the same weights.

    With g₁ and g₂ of independent batches of B samples, g₁·g₂ is an unbiased estimate of |G|², and
    (|g₁|² + |g₂|²)/2 − g₁·g₂ one of tr(Σ)/B (McCandlish et al. 2018, arXiv:1812.06162, appendix A).
    """

    def __init__(self, transfer: Transfer) -> None:
        self._transfer = transfer
        self._first: tuple[Tensor, ...] = ()
        self._signal = self._noise = self._weight = 0.0

    def first(self, gradients: list[Tensor]) -> bool:
        """Copy the gradients of a step; return whether a second set is wanted."""
        self.forget()
        if gradients and sum(one.numel() for one in gradients) <= MOST_NUMBERS:
            self._first = tuple(torch._foreach_mul(gradients, 1.0))
        return bool(self._first)

    def forget(self) -> None:
        """Drop the first gradients: the second ones do not belong to them."""
        self._first = ()

    def second(self, gradients: list[Tensor], samples: int) -> None:
        """Compare with the gradients of the next step, of a batch of ``samples``."""
        first, self._first = self._first, ()
        if not first or [one.shape for one in first] != [one.shape for one in gradients]:
            return
        dots = [torch.dot(a.flatten(), b.flatten()) for a, b in zip(first, gradients, strict=True)]
        sums = [
            torch.stack([one.double() for one in row]).sum() for row in (dots, _squares(first), _squares(gradients))
        ]
        self._transfer.read(sums, lambda numbers: self._add(numbers, samples))

    @property
    def noise(self) -> float | None:
        """Noise scale in samples; None while the gradient does not stand out of the noise."""
        return self._noise / self._signal if self._weight and self._signal > 0 and self._noise > 0 else None

    def _add(self, numbers: list[float], samples: int) -> None:
        dot, first, second = numbers
        self._weight = 1.0
        self._signal = KEEP * self._signal + dot
        self._noise = KEEP * self._noise + samples * ((first + second) / 2 - dot)


def _squares(tensors: tuple[Tensor, ...] | list[Tensor]) -> list[Tensor]:
    return [norm.double() ** 2 for norm in torch._foreach_norm(list(tensors))]
