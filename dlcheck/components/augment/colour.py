"""Changing the values of whole batches of images, each image by its own random amounts."""

import math

import torch
from torch import Tensor

from dlcheck.components.augment.images import Images
from dlcheck.recipe.data import Augment

ERASED_AREA = (0.02, 0.33)
ERASED_ASPECT = 0.3
"""Area shares and smallest aspect ratio of erased rectangles (Zhong et al., AAAI 2020, arXiv:1708.04896)."""


def recolour(images: Tensor, section: Augment, facts: Images) -> Tensor:
    """Change brightness, contrast and colour, then add noise; values stay in the training images' range.

    Args:
        images: (batch, channels, height, width), not changed in place.
        section: largest amounts.
        facts: value range of the images.
    """
    count, channels = images.shape[:2]

    def factor(largest: float) -> Tensor:
        low = max(0.0, 1 - largest)
        return low + (1 + largest - low) * torch.rand(count, 1, 1, 1, device=images.device)

    changed = images
    if section.brightness:
        changed = facts.low + (changed - facts.low) * factor(section.brightness)
    if section.contrast:
        centre = changed.mean((2, 3), keepdim=True)
        changed = centre + (changed - centre) * factor(section.contrast)
    if section.colour_cast:
        cast = 2 * torch.rand(count, channels, 1, 1, device=images.device) - 1
        changed = changed + cast * (section.colour_cast * facts.span)
    if section.noise:
        changed = changed + torch.randn_like(changed) * (section.noise * facts.span)
    return changed if changed is images else torch.clamp(changed, min=facts.low, max=facts.high)


def erase(images: Tensor, probability: float, fill: Tensor) -> Tensor:
    """Blank a random rectangle of each image with this probability.

    Args:
        images: (batch, channels, height, width).
        probability: for each image.
        fill: (channels, 1, 1).
    """
    count, _, height, width = images.shape

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, device=images.device)

    area = uniform(*ERASED_AREA) * height * width
    aspect = torch.exp(uniform(math.log(ERASED_ASPECT), -math.log(ERASED_ASPECT)))
    chosen = torch.rand(count, device=images.device) < probability
    rows = _inside(uniform(0, 1), (area * aspect).sqrt(), height)
    columns = _inside(uniform(0, 1), (area / aspect).sqrt(), width)
    mask = (rows[:, :, None] & columns[:, None, :])[:, None] & chosen[:, None, None, None]
    return torch.where(mask, fill.to(images.dtype), images)


def _inside(position: Tensor, extent: Tensor, side: int) -> Tensor:
    """Return which of ``side`` pixels an interval covers, (count, side); ``position`` is 0 to 1."""
    length = extent.round().clamp(1, side)
    first = (position * (side - length + 1)).floor()
    place = torch.arange(side, device=position.device)
    return (place >= first[:, None]) & (place < (first + length)[:, None])
