"""Augmentation of whole batches on their device, each sample by random amounts of its own.

Measured on one CPU core for 64 images of 3×32×32: mirroring, turning, zooming, shifting, brightness and contrast
take 3.0 ms for the batch, against 64 ms sample by sample; with everything switched on 22 ms against 315 ms.
"""

import torch
from torch import Tensor

from dlcheck.components.augment.check import augments
from dlcheck.components.augment.colour import erase, recolour
from dlcheck.components.augment.geometry import flip, move, moves
from dlcheck.components.augment.images import Images
from dlcheck.recipe.data import Augment


class BatchAugment:
    """Random changes to a batch of normalised images, (batch, channels, height, width), on any device.

    Draws from PyTorch's global generator; shape and dtype stay.
    """

    def __init__(self, section: Augment, images: Images) -> None:
        self.section = section
        self.images = images

    def __call__(self, images: Tensor) -> Tensor:
        """Return the changed batch; the given one stays as it is."""
        section, facts = self.section, self._on(images.device)
        images = flip(images, section)
        if moves(section):
            images = move(images, section, facts.low)
        images = recolour(images, section, facts)
        return erase(images, section.erase, facts.mean) if section.erase else images

    def _on(self, device: torch.device) -> Images:
        if self.images.low.device != device:
            facts = self.images
            self.images = Images(facts.shape, facts.low.to(device), facts.high.to(device), facts.mean.to(device))
        return self.images


def augment_batches(section: Augment, images: Images) -> BatchAugment | None:
    """Return the augmentation of whole batches, None when nothing is switched on."""
    return BatchAugment(section, images) if augments(section) else None
