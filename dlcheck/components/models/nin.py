"""Network in Network."""

from collections import OrderedDict
from typing import Final

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.images import image_shape, make_pool
from dlcheck.components.models.layers import ConvLayer, Feedforward, Style, make_dropout, scaled
from dlcheck.recipe.model import ClassicCnn

Block = tuple[int, int, int, tuple[int, ...]]
"""Kernel, stride, padding, and channels of the convolution and of the 1×1 convolutions after it."""

SMALL: Final[tuple[Block, ...]] = (
    (5, 1, 2, (192, 160, 96)),
    (5, 1, 2, (192, 192, 192)),
    (3, 1, 1, (192, 192)),
)
ORIGINAL: Final[tuple[Block, ...]] = (
    (11, 4, 0, (96, 96, 96)),
    (5, 1, 2, (256, 256, 256)),
    (3, 1, 1, (384, 384, 384)),
    (3, 1, 1, (1024, 1024)),
)


def build_nin(section: ClassicCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build blocks of a convolution and 1×1 convolutions; each class is the mean of a map of its own.

    Lin, Chen & Yan 2014, "Network in network", ICLR, arXiv:1312.4400: the small form is its CIFAR-10 network,
    ``original`` the ImageNet one by the same authors. The last maps are not rectified, so that scores may be
    negative. Dropout follows each pooling.
    """
    style = Style.of(section)
    inputs, size = image_shape(section.name, info)
    blocks = ORIGINAL if section.original else SMALL
    body: OrderedDict[str, nn.Module] = OrderedDict()
    for index, (kernel, stride, padding, channels) in enumerate(blocks, start=1):
        counts = [scaled(count, section.width) for count in channels]
        pool: nn.Module | None = None
        if index < len(blocks):
            pool, size = make_pool(size, section.original)
        body[f"block{index}"] = _block(inputs, counts, (kernel, stride, padding), style, pool)
        inputs = counts[-1]
    return Feedforward(body, _head(inputs, outputs))


def _block(
    inputs: int, counts: list[int], first: tuple[int, int, int], style: Style, pool: nn.Module | None
) -> nn.Module:
    kernel, stride, padding = first
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index, count in enumerate(counts, start=1):
        last = pool if index == len(counts) else None
        if index == 1:
            layer = ConvLayer(inputs, count, kernel, style, stride=stride, padding=padding, pool=last)
        else:
            layer = ConvLayer(inputs, count, 1, style, pool=last)
        layers[f"conv{index}"] = layer
        inputs = count
    if pool is not None and style.dropout:
        layers["dropout"] = make_dropout(style.dropout)
    return nn.Sequential(layers)


def _head(inputs: int, outputs: int) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(inputs, outputs, 1), average=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten()
    )
    return nn.Sequential(layers)
