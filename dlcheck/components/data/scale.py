"""Normalisation with statistics of the training split only."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Method = Literal["standardize", "minmax", "none"]
CHUNK = 4096
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
    moments = _Moments(inputs)
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


class _Moments:
    """Mean, standard deviation, minimum and maximum in double precision, chunk by chunk."""

    def __init__(self, inputs: Tensor) -> None:
        axes = _axes(inputs.dim())
        count = 0
        total = square = torch.zeros((), dtype=torch.float64)
        lows, highs = [], []
        origin = as_float(inputs[:CHUNK]).double().mean(axes, keepdim=True)
        for chunk in torch.split(inputs, CHUNK):
            values = as_float(chunk).double()
            centred = values - origin  # keeps the digits of columns far from zero
            total = total + centred.sum(axes, keepdim=True)
            square = square + centred.square().sum(axes, keepdim=True)
            lows.append(values.amin(axes, keepdim=True))
            highs.append(values.amax(axes, keepdim=True))
            count += values.numel() // max(1, origin.numel())
        variance = (square / count - (total / count).square()).clamp_min(0)
        self.mean = (origin + total / count)[0].float()
        self.std = variance.sqrt()[0].float()
        self.low = torch.stack(lows).amin(0)[0].float()
        self.high = torch.stack(highs).amax(0)[0].float()


def _axes(dimensions: int) -> tuple[int, ...]:
    """Axes to reduce of (samples, …): all but the channel."""
    if dimensions == 4:
        return (0, 2, 3)
    if dimensions == 3:
        return (0, 1)
    return (0,) if dimensions == 2 else tuple(range(dimensions))
