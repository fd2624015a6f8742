"""Normalisation with statistics of the training split only."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Method = Literal["standardize", "minmax", "none"]
CHUNK = 512
"""Samples whose statistics are taken at once, so that no float copy of all images is made."""


@dataclass(frozen=True, slots=True)
class Scale:
    """(x − shift) / divisor, by channel for images, by column for tables and series.

    ``shift`` and ``divisor`` broadcast against one sample; ``low`` and ``high`` are the smallest and largest
    training value before scaling, of the same shape; ``mean`` is the training mean before scaling.
    """

    shift: Tensor
    divisor: Tensor
    low: Tensor
    high: Tensor
    mean: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Scale a batch, or a sample; uint8 images count as 0 to 1."""
        shift, divisor = self.shift.to(x.device), self.divisor.to(x.device)
        return as_float(x).sub(shift).div_(divisor)


def as_float(x: Tensor) -> Tensor:
    """Return float32; uint8 images become numbers from 0 to 1."""
    return x.to(torch.float32).div_(255) if x.dtype == torch.uint8 else x.to(torch.float32)


def fit_scale(inputs: Tensor, method: Method) -> Scale:
    """Measure the training inputs, (samples, …).

    ``standardize`` makes mean 0 and standard deviation 1, ``minmax`` the range 0 to 1. Statistics are taken
    over samples and pixels for images (C, H, W), over samples and time for series (T, F), over samples for
    tables.
    Constant channels and columns are shifted but not divided.
    """
    moments = _measure(inputs)
    zero, one = torch.zeros_like(moments.mean), torch.ones_like(moments.mean)
    shift, divisor = zero, one
    if method == "standardize":
        shift, divisor = moments.mean, moments.std
    elif method == "minmax":
        shift, divisor = moments.low, moments.high - moments.low
    # A spread below the rounding error of the mean is a constant column too.
    scale = torch.maximum(moments.low.abs(), moments.high.abs())
    divisor = torch.where(divisor > 1e-6 * scale, divisor, one)
    return Scale(shift, divisor, moments.low, moments.high, moments.mean)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of the values by channel, each in the shape that broadcasts against one sample."""

    mean: Tensor
    std: Tensor
    low: Tensor
    high: Tensor


def _measure(inputs: Tensor) -> _Moments:
    return _measure_bytes(inputs) if inputs.dtype == torch.uint8 else _measure_floats(inputs)


def _measure_bytes(images: Tensor) -> _Moments:
    """From how often each of the 256 values occurs: exact, and a tenth of the time of floats."""
    values = torch.arange(256, dtype=torch.float64) / 255
    found = []
    for channel in images.movedim(1, 0) if images.dim() == 4 else [images]:
        counts = torch.zeros(256, dtype=torch.float64)
        for chunk in torch.split(channel, CHUNK):
            counts += torch.bincount(chunk.flatten(), minlength=256)
        share = counts / counts.sum()
        mean = (share * values).sum()
        present = values[counts > 0]
        std = (share * (values - mean).square()).sum().sqrt()
        found.append(torch.stack((mean, std, present.min(), present.max())))
    shape = (-1, 1, 1) if images.dim() == 4 else (1,) * (images.dim() - 1)
    return _Moments(*(row.float().view(shape) for row in torch.stack(found, dim=1)))


def _measure_floats(inputs: Tensor) -> _Moments:
    """In double precision, merging chunks (Chan, Golub and LeVeque, Stanford STAN-CS-79-773, 1979)."""
    axes = _axes(inputs.dim())
    means, variances, lows, highs = [], [], [], []
    chunks = torch.split(inputs, CHUNK)
    for chunk in chunks:
        values = chunk.double()
        variance, mean = torch.var_mean(values, axes, correction=0, keepdim=True)
        means.append(mean)
        variances.append(variance)
        lows.append(values.amin(axes, keepdim=True))
        highs.append(values.amax(axes, keepdim=True))
    share = torch.tensor([len(chunk) / len(inputs) for chunk in chunks], dtype=torch.float64)
    weights = share.view(-1, *(1,) * inputs.dim())
    mean = (weights * torch.stack(means)).sum(0)
    variance = (weights * (torch.stack(variances) + (torch.stack(means) - mean).square())).sum(0)
    low, high = torch.stack(lows).amin(0), torch.stack(highs).amax(0)
    return _Moments(*(value[0].float() for value in (mean, variance.sqrt(), low, high)))


def _axes(dimensions: int) -> tuple[int, ...]:
    """Axes to reduce of (samples, …): all but the channel."""
    if dimensions == 4:
        return (0, 2, 3)
    if dimensions == 3:
        return (0, 1)
    return (0,) if dimensions == 2 else tuple(range(dimensions))
