"""Image files as tensors of one size."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dlcheck.errors import DlcheckError, one_line

if TYPE_CHECKING:
    from PIL import Image

FILES_AT_ONCE = 64
"""Files that a thread decodes before it takes the next ones."""


class ImageFiles:
    """A map-style data set of image files: (uint8 image (channels, size, size), class code).

    Without ``random_crop`` the shorter side is scaled to ``resize`` and the centre cut out; with it, a random
    part of at least that share of the area is cut out of the whole image and scaled (Szegedy et al., CVPR 2015).
    """

    def __init__(
        self,
        files: Sequence[Path],
        codes: Sequence[int],
        *,
        size: int,
        resize: int,
        channels: int,
        random_crop: float = 0.0,
    ) -> None:
        self.files, self.codes = list(files), list(codes)
        self.size, self.resize, self.channels, self.random_crop = size, resize, channels, random_crop

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Decode one file.

        Raises:
            DlcheckError: names the file that is no image, or damaged.
        """
        return self._decode(self.files[index]), self.codes[index]

    def decode_all(self) -> Tensor:
        """Return all images, uint8 (files, channels, size, size), decoded by one thread a core.

        Raises:
            DlcheckError: names the file that is no image, or damaged.
        """
        images = torch.empty((len(self), self.channels, self.size, self.size), dtype=torch.uint8)

        def decode(start: int) -> None:
            for position in range(start, min(start + FILES_AT_ONCE, len(self))):
                images[position] = self._decode(self.files[position])

        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            list(pool.map(decode, range(0, len(self), FILES_AT_ONCE)))  # the list raises what a thread raised
        return images

    def _decode(self, file: Path) -> Tensor:
        from PIL import Image

        try:
            with Image.open(file) as image:
                if not self.random_crop:
                    image.draft(None, (self.resize, self.resize))  # JPEG: decode at a half, a quarter, an eighth
                return self._fit(image.convert("RGB" if self.channels == 3 else "L"))
        except DlcheckError:
            raise
        except Exception as error:  # decoders raise nearly anything on damaged files
            raise DlcheckError(f"{file}: cannot be read as an image: {one_line(error)}") from None

    def _fit(self, image: "Image.Image") -> Tensor:
        if self.random_crop:
            from torchvision.transforms import v2  # type: ignore[import-untyped, unused-ignore]

            image = v2.RandomResizedCrop(self.size, scale=(self.random_crop, 1.0))(image)
        else:
            image = _centre(image, self.resize, self.size)
        pixels = np.array(image)  # PIL's own memory is read-only
        return torch.from_numpy(pixels).view(self.size, self.size, self.channels).permute(2, 0, 1).contiguous()


def _centre(image: "Image.Image", resize: int, size: int) -> "Image.Image":
    """Scale the shorter side to ``resize`` and cut the middle out, in one resampling."""
    from PIL import Image

    share = size / max(resize, size)
    side = min(image.size) * share
    left, top = (image.width - side) / 2, (image.height - side) / 2
    return image.resize((size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))


def resize_images(images: Tensor, size: int | None) -> Tensor:
    """Scale uint8 images (samples, channels, height, width) to squares of ``size`` pixels; None leaves them."""
    if size is None or images.shape[2:] == (size, size):
        return images
    scaled = [
        torch.nn.functional.interpolate(part.float(), (size, size), mode="bilinear", antialias=True)
        for part in torch.split(images, 1024)
    ]
    return torch.cat([part.round().clamp(0, 255).to(torch.uint8) for part in scaled])
