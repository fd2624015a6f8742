"""Ten crops of each image, to average predictions over."""

from torch import Tensor
from torch.nn import functional as F

SHARE = 7 / 8
"""Side of a crop over the side of the image: 224 of 256 pixels (Krizhevsky et al., NeurIPS 2012)."""


def ten_crops(images: Tensor) -> list[Tensor]:
    """Return four corners, the centre, and their mirror images, each scaled back to the full size.

    Args:
        images: (batch, channels, height, width).
    """
    height, width = images.shape[-2:]
    rows, columns = max(1, round(height * SHARE)), max(1, round(width * SHARE))
    bottom, right = height - rows, width - columns
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    crops = [images[..., top : top + rows, left : left + columns] for top, left in corners]
    scaled = [F.interpolate(crop, (height, width), mode="bilinear", align_corners=False) for crop in crops]
    return scaled + [crop.flip(-1) for crop in scaled]
