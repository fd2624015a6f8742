"""Augmentation of one sample as it is loaded, by torchvision's transforms."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlcheck.components.augment.check import augments
from dlcheck.components.augment.geometry import SMOOTHNESS
from dlcheck.components.augment.images import Images
from dlcheck.recipe.data import Augment

if TYPE_CHECKING:
    from torchvision.transforms import v2  # type: ignore[import-untyped, unused-ignore]


class SampleAugment:
    """Random changes to one image (channels, height, width); float images come back in their own range.

    uint8 images come back as float32 from 0 to 1. Draws from PyTorch's global generator.
    """

    def __init__(self, section: Augment, images: Images) -> None:
        self.images = images
        self.span = torch.where(images.span > 0, images.span, 1.0)
        self.colour_cast = section.colour_cast
        self.before, self.after = _compose(section, images, (images.mean - images.low) / self.span)

    def __call__(self, image: Tensor) -> Tensor:
        """Return the changed image."""
        floating = image / 255 if image.dtype == torch.uint8 else image
        unit = self.before((floating - self.images.low) / self.span)
        if self.colour_cast:
            cast = (2 * torch.rand(len(unit), 1, 1) - 1) * self.colour_cast
            unit = (unit + cast).clamp(0, 1)
        changed: Tensor = self.after(unit)
        return changed * self.span + self.images.low


def augment_samples(section: Augment, images: Images) -> SampleAugment | None:
    """Return the augmentation of single samples, None when nothing is switched on."""
    return SampleAugment(section, images) if augments(section) else None


def _compose(section: Augment, images: Images, mean: Tensor) -> tuple["v2.Transform", "v2.Transform"]:
    """Return the transforms before and after the colour cast, for images from 0 to 1 of this ``mean``."""
    from torchvision.transforms import v2  # type: ignore[import-untyped, unused-ignore]

    after: list[v2.Transform] = [v2.Identity()]
    if section.noise:
        after.append(v2.GaussianNoise(sigma=section.noise))
    if section.erase:
        after.append(v2.RandomErasing(p=section.erase, value=mean.flatten().tolist()))
    return v2.Compose(_geometric(section, images) + _photometric(section)), v2.Compose(after)


def _geometric(section: Augment, images: Images) -> list["v2.Transform"]:
    from torchvision.transforms import v2  # type: ignore[import-untyped, unused-ignore]

    bilinear = v2.InterpolationMode.BILINEAR
    size = images.shape[1:]
    found: list[v2.Transform] = [v2.Identity()]
    if section.flip_horizontal:
        found.append(v2.RandomHorizontalFlip())
    if section.flip_vertical:
        found.append(v2.RandomVerticalFlip())
    if section.crop:
        found.append(v2.RandomResizedCrop(size, scale=(section.crop, 1.0), antialias=True))
    if section.rotate or section.translate or section.scale or section.shear:
        found.append(
            v2.RandomAffine(
                degrees=section.rotate,
                translate=(section.translate, section.translate),
                scale=(1 - section.scale, 1 + section.scale),
                shear=section.shear or None,
                interpolation=bilinear,
            )
        )
    if section.pad_crop:
        found.append(v2.RandomCrop(size, padding=section.pad_crop))
    if section.distort:
        sigma = max(size) * SMOOTHNESS
        found.append(v2.ElasticTransform(alpha=_elastic_alpha(section.distort, sigma), sigma=sigma))
    return found


def _elastic_alpha(std: float, sigma: float) -> float:
    """Return torchvision's amplitude for displacements of this standard deviation in pixels.

    Its displacement is alpha/2 pixels times uniform noise on ±1 (standard deviation 1/√3), smoothed by a
    Gaussian, which divides the standard deviation by 2σ√π.
    """
    return 2 * std * math.sqrt(3) * 2 * sigma * math.sqrt(math.pi)


def _photometric(section: Augment) -> list["v2.Transform"]:
    from torchvision.transforms import v2  # type: ignore[import-untyped, unused-ignore]

    if not (section.brightness or section.contrast):
        return []
    return [v2.ColorJitter(brightness=section.brightness or None, contrast=section.contrast or None)]
