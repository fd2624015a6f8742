"""Moving the pixels of whole batches: one affine map a sample, one interpolation for everything."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcheck.recipe.data import Augment

ASPECT = math.log(4 / 3)
"""Random crops have aspect ratios from 3/4 to 4/3 (Szegedy et al., CVPR 2015, arXiv:1409.4842)."""
SMOOTHNESS = 4 / 28
"""Smoothing of elastic distortions over the side: 4 pixels of 28 (Simard et al., ICDAR 2003)."""


def moves(section: Augment) -> bool:
    """Return whether anything but mirroring moves pixels."""
    keys = (section.crop, section.pad_crop, section.translate, section.scale, section.rotate, section.shear)
    return any(keys) or section.distort > 0


def flip(images: Tensor, section: Augment) -> Tensor:
    """Mirror each image with probability one half along the axes that are switched on."""
    for active, axis in ((section.flip_horizontal, -1), (section.flip_vertical, -2)):
        if active:
            chosen = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
            images = torch.where(chosen, images.flip(axis), images)
    return images


def move(images: Tensor, section: Augment, fill: Tensor) -> Tensor:
    """Crop, shift, zoom, turn, shear and distort each image by its own random amounts, bilinearly.

    Args:
        images: (batch, channels, height, width).
        section: largest amounts.
        fill: (channels, 1, 1), value of the pixels that come into view.
    """
    height, width = images.shape[-2:]
    matrix, shift = affine_maps(len(images), (height, width), section, images.device)
    sides = torch.tensor([width, height], dtype=torch.float32, device=images.device)
    # affine_grid counts in halves of the sides; the maps are in pixels, so that turns stay rigid.
    theta = torch.cat((matrix * sides[None, None, :] / sides[None, :, None], 2 * (shift / sides)[..., None]), dim=2)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    if section.distort:
        field = displacement(len(images), (height, width), section.distort, images.device)
        grid = grid + 2 * field.permute(0, 2, 3, 1) / sides
    moved = F.grid_sample(images - fill, grid.to(images.dtype), mode="bilinear", align_corners=False)
    return moved + fill


def affine_maps(count: int, size: tuple[int, int], section: Augment, device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw maps from places in the new image to places in the old one, in pixels from the centre.

    Returns:
        Matrices (count, 2, 2) and shifts (count, 2), x before y.
    """
    height, width = size
    sides = torch.tensor([width, height], dtype=torch.float32, device=device)

    def draw(largest: float, *shape: int) -> Tensor:
        return (2 * torch.rand(count, *shape, device=device) - 1) * largest

    angle, shear = draw(math.radians(section.rotate)), torch.tan(draw(math.radians(section.shear)))
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack((cos, -sin, sin, cos), dim=1).view(count, 2, 2)
    slant = torch.eye(2, device=device).repeat(count, 1, 1)
    slant[:, 0, 1] = shear
    matrix = turn @ slant / (1 + draw(section.scale))[:, None, None]
    shift = draw(section.translate, 2) * sides
    if section.pad_crop:
        pad = section.pad_crop
        shift = shift + torch.randint(-pad, pad + 1, (count, 2), device=device)
    if section.crop:
        kept, corner = _crop(count, section.crop, size, device)
        # The crop is cut out first: it maps the moved image's places into the old image.
        matrix = kept[:, :, None] * matrix
        shift = kept * shift + corner
    return matrix, shift


def _crop(count: int, smallest: float, size: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Draw the kept share of each side, (count, 2), and the crop's centre in pixels from the image's."""
    height, width = size
    area = smallest + (1 - smallest) * torch.rand(count, device=device)
    aspect = torch.exp((2 * torch.rand(count, device=device) - 1) * ASPECT)
    kept = torch.stack(((area * aspect).sqrt(), (area / aspect).sqrt()), dim=1).clamp_max(1.0)
    room = (1 - kept) * torch.tensor([width, height], dtype=torch.float32, device=device) / 2
    return kept, (2 * torch.rand(count, 2, device=device) - 1) * room


def displacement(count: int, size: tuple[int, int], std: float, device: torch.device) -> Tensor:
    """Draw smooth random displacements in pixels, (count, 2, height, width), of standard deviation ``std``.

    White noise smoothed by a Gaussian (Simard, Steinkraus and Platt, ICDAR 2003).
    """
    noise = torch.randn(count, 2, *size, device=device)
    sigma = max(size) * SMOOTHNESS
    for axis in (2, 3):
        reach = min(math.ceil(3 * sigma), size[axis - 2] - 1)
        place = torch.arange(-reach, reach + 1, dtype=torch.float32, device=device)
        weights = torch.exp(-0.5 * (place / sigma) ** 2)
        shape = [1, 1, 1, 1]
        shape[axis] = 2 * reach + 1
        kernel = (weights / weights.sum()).view(shape).repeat(2, 1, 1, 1)
        padding = [reach, reach, 0, 0] if axis == 3 else [0, 0, reach, reach]
        noise = F.conv2d(F.pad(noise, padding, mode="reflect"), kernel, groups=2)
    return noise * (std / noise.std().clamp_min(1e-12))
