"""Normalisation layers by the names that recipes use."""

from typing import Final, Literal, TypeVar

from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from dlcheck.components.decorrelation import DecorrelatedBatchNorm
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import Normalization

LayerT = TypeVar("LayerT", nn.Linear, nn.Conv2d)

MAX_GROUPS: Final = 8
MIN_GROUP_SIZE: Final = 4  # a group of one unit would come out as nothing but zeros
CENTRING: Final = frozenset({"batch", "instance", "decorrelated"})


def make_norm(name: Normalization, channels: int, dims: Literal[0, 1, 2]) -> nn.Module:
    """Return the normalisation of ``channels`` channels, with scale and shift where it has them.

    ``dims`` is 2 for images (batch, channels, height, width), 0 or 1 for vectors (batch, channels).
    ``none`` and ``weight`` give the identity: the latter is applied to the layer before, by ``weight_normalized``.

    Sources: batch, Ioffe & Szegedy 2015 (arXiv:1502.03167); layer, Ba et al. 2016 (arXiv:1607.06450), on images
    over channels and pixels together; instance, Ulyanov et al. 2016 (arXiv:1607.08022); group, Wu & He 2018
    (arXiv:1803.08494), at most 8 groups of at least 4 channels; decorrelated, Huang et al. 2018 (arXiv:1804.08450).

    Raises:
        DlcheckError: instance normalisation of vectors, which would leave only zeros.
    """
    if name == "batch":
        return nn.BatchNorm2d(channels) if dims == 2 else nn.BatchNorm1d(channels)
    if name == "layer":
        return nn.GroupNorm(1, channels) if dims == 2 else nn.LayerNorm(channels)
    if name == "instance":
        return _instance_norm(channels, dims)
    if name == "group":
        return nn.GroupNorm(group_count(channels), channels)
    if name == "decorrelated":
        return DecorrelatedBatchNorm(channels)
    return nn.Identity()


def _instance_norm(channels: int, dims: int) -> nn.Module:
    if dims != 2:
        raise DlcheckError(
            'model.norm = "instance" averages over the pixels of an image, and a vector has none; '
            'valid here: "batch", "layer", "group", "weight", "decorrelated" or "none"'
        )
    return nn.InstanceNorm2d(channels, affine=True)


def group_count(channels: int) -> int:
    """Return the largest number of equal groups, at most 8, that have at least 4 channels each; else 1."""
    sizes = range(MAX_GROUPS, 1, -1)
    return next((n for n in sizes if channels % n == 0 and channels // n >= MIN_GROUP_SIZE), 1)


def keeps_bias(name: Normalization) -> bool:
    """Return whether a bias before this normalisation has any effect: subtracting a channel's mean removes it."""
    return name not in CENTRING


def weight_normalized(layer: LayerT, name: Normalization = "weight") -> LayerT:
    """Split the weight into direction and length per output unit if ``name`` is ``weight``, and return the layer.

    Salimans & Kingma 2016, "Weight normalization", NeurIPS, arXiv:1602.07868.
    """
    return weight_norm(layer) if name == "weight" else layer
