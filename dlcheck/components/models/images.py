"""Sizes of images on their way through a network."""

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.errors import DlcheckError

Size = tuple[int, int]


def image_shape(name: str, info: DataInfo) -> tuple[int, Size]:
    """Return (channels, (height, width)) of the inputs.

    Raises:
        DlcheckError: they are no images.
    """
    if not info.is_image:
        raise DlcheckError(
            f'model.name = "{name}" needs images (channels, height, width), and these inputs have the shape '
            f"{info.input_shape}; valid for them: mlp, rnn, lstm, gru, transformer"
        )
    channels, height, width = info.input_shape
    return channels, (height, width)


def halve(size: Size, kind: str = "max") -> tuple[nn.Module, Size]:
    """Return 2×2 pooling and the size after it; the identity for images under 4 pixels, to leave at least 2×2."""
    if min(size) < 4:
        return nn.Identity(), size
    pool = nn.AvgPool2d(2) if kind == "average" else nn.MaxPool2d(2)
    return pool, (size[0] // 2, size[1] // 2)


def make_pool(size: Size, original: bool) -> tuple[nn.Module, Size]:
    """Return the pooling of a network as it was published, whose windows overlap, or one that halves small images."""
    return (nn.MaxPool2d(3, 2, ceil_mode=True), size) if original else halve(size)
