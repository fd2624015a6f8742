"""What augmentation needs to know of images: their shape and the range of their values."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Images:
    """Images of ``shape`` (channels, height, width).

    ``low``, ``high`` and ``mean`` have the shape (channels, 1, 1) and the unit of the images that
    augmentation sees: normalised ones for whole batches, raw ones for single samples. Amounts given as a
    share of the value range are multiplied by ``high - low``.
    """

    shape: tuple[int, int, int]
    low: Tensor
    high: Tensor
    mean: Tensor

    @property
    def span(self) -> Tensor:
        """The value range of each channel; constant channels have 0."""
        return self.high - self.low
