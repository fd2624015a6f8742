"""DenseNet: every layer sees the outputs of all layers before it in its stage."""

from collections import OrderedDict
from typing import Final

import torch
from torch import Tensor, nn

from dlcheck.components.activations import pieces
from dlcheck.components.info import DataInfo
from dlcheck.components.models.images import Size, image_shape
from dlcheck.components.models.layers import ConvLayer, Feedforward, PreactivatedConv, Style, convolution
from dlcheck.components.models.preact_resnet import last_activation
from dlcheck.recipe.model import ResidualCnn

BOTTLENECK: Final = 4  # channels of the 1×1 convolutions, in growth rates
COMPRESSION: Final = 2  # each transition keeps one channel in two


class ConcatenatedLayer(nn.Module):
    """The input and, behind it, ``growth`` new channels made of it."""

    def __init__(self, inputs: int, growth: int, style: Style) -> None:
        super().__init__()
        self.conv1 = PreactivatedConv(inputs, BOTTLENECK * growth, 1, style)
        self.conv2 = PreactivatedConv(BOTTLENECK * growth, growth, 3, style)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, inputs + growth, height, width)."""
        return torch.cat([x, self.conv2(self.conv1(x))], dim=1)


def build_densenet(section: ResidualCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build a DenseNet-BC of growth rate ``width``.

    Huang et al. 2017, "Densely connected convolutional networks", CVPR, arXiv:1608.06993: ``blocks``
    [6, 12, 24, 16] and ``width`` 32 with ``original`` is DenseNet-121.
    """
    style = Style.of(section)
    inputs, size = image_shape(section.name, info)
    body: OrderedDict[str, nn.Module] = OrderedDict(stem=_stem(inputs, section, style))
    channels = 2 * section.width
    for index, count in enumerate(section.blocks, start=1):
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number in range(count):
            layers[f"layer{number + 1}"] = ConcatenatedLayer(channels, section.width, style)
            channels += section.width
        body[f"stage{index}"] = nn.Sequential(layers)
        if index < len(section.blocks):
            body[f"transition{index}"], size = _transition(channels, style, size, section.original)
            channels //= COMPRESSION
    body |= last_activation(channels, style)
    return Feedforward(body, nn.Linear(channels, outputs))


def _transition(channels: int, style: Style, size: Size, original: bool) -> tuple[nn.Module, Size]:
    conv = PreactivatedConv(channels, channels // COMPRESSION, 1, style)
    if original or min(size) >= 2:
        conv.add_module("pool", nn.AvgPool2d(2))
        size = (size[0] // 2, size[1] // 2)
    return conv, size


def _stem(inputs: int, section: ResidualCnn, style: Style) -> nn.Module:
    wide = 2 * section.width * pieces(style.activation)
    if section.original:
        return ConvLayer(inputs, wide, 7, style, stride=2, pool=nn.MaxPool2d(3, 2, 1))
    return convolution(inputs, wide, 3, style.norm)
