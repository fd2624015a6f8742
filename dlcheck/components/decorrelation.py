"""Decorrelated batch normalisation: whitening of the channels, where batch normalisation only scales them."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

MAX_GROUP_SIZE: Final = 16


class _InverseRoot(Function):
    """Σ^(−1/2) of symmetric positive matrices (…, n, n).

    The gradient is the Daleckii–Krein formula: in the eigenbasis, the incoming gradient times the divided
    differences of λ^(−1/2), which are −1 / (√λi √λj (√λi + √λj)). Unlike the gradient of the eigenvectors
    themselves, that stays finite when eigenvalues coincide.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        roots = values.clamp_min(torch.finfo(values.dtype).tiny).sqrt()
        ctx.save_for_backward(roots, vectors)
        root: Tensor = (vectors / roots.unsqueeze(-2)) @ vectors.mT
        return root

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        roots, vectors = ctx.saved_tensors
        row, column = roots.unsqueeze(-1), roots.unsqueeze(-2)
        inner = vectors.mT @ ((gradient + gradient.mT) / 2) @ vectors
        result: Tensor = vectors @ (-inner / (row * column * (row + column))) @ vectors.mT
        return result


def _full_precision(device: str) -> AbstractContextManager[object]:
    if torch.amp.is_autocast_available(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()


def inverse_root(matrix: Tensor) -> Tensor:
    """Return Σ^(−1/2) of symmetric positive definite matrices (…, n, n); differentiable once."""
    root: Tensor = _InverseRoot.apply(matrix)
    return root


class DecorrelatedBatchNorm(nn.Module):
    """ZCA whitening of the mini-batch within groups of at most 16 channels, then a scale and shift per channel.

    Takes (batch, channels, …). In training the batch's own mean and covariance are used; evaluation uses running
    means of the centre and of the whitening matrix. Group size is the largest divisor of ``channels`` up to 16.
    Computed in float32 at least, whatever the input's type.

    Huang, Yang, Lang & Deng 2018, "Decorrelated batch normalization", CVPR, arXiv:1804.08450.
    """

    running_mean: Tensor
    running_whitening: Tensor

    def __init__(self, channels: int, eps: float = 1e-3, momentum: float = 0.1) -> None:
        super().__init__()
        self.size = max(n for n in range(1, MAX_GROUP_SIZE + 1) if channels % n == 0)
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        groups = channels // self.size
        self.register_buffer("running_mean", torch.zeros(groups, self.size, 1))
        self.register_buffer("running_whitening", torch.eye(self.size).repeat(groups, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the whitened input, of the same shape and type."""
        with _full_precision(x.device.type):
            wide = x if x.dtype == torch.float64 else x.float()
            grouped = wide.transpose(0, 1).reshape(-1, self.size, x.numel() // x.shape[1])
            mean, whitening = self._statistics(grouped)
            white = (whitening @ (grouped - mean)).reshape(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)
            shape = (-1,) + (1,) * (x.dim() - 2)
            return (white * self.weight.view(shape) + self.bias.view(shape)).to(x.dtype)

    def _statistics(self, grouped: Tensor) -> tuple[Tensor, Tensor]:
        """Return the centre (groups, size, 1) and whitening matrix (groups, size, size) to use now."""
        if not self.training:
            return self.running_mean, self.running_whitening
        mean = grouped.mean(dim=-1, keepdim=True)
        centred = grouped - mean
        covariance = centred @ centred.mT / grouped.shape[-1]
        eye = torch.eye(self.size, dtype=grouped.dtype, device=grouped.device)
        whitening = inverse_root(covariance + self.eps * eye)
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_whitening.lerp_(whitening.to(self.running_whitening.dtype), self.momentum)
        return mean, whitening
