"""Residual networks whose skip connections stay free of activations."""

from collections import OrderedDict

from torch import Tensor, nn

from dlcheck.components.activations import make_activation, pieces
from dlcheck.components.info import DataInfo
from dlcheck.components.models.images import image_shape
from dlcheck.components.models.layers import (
    Feedforward,
    PreactivatedConv,
    Style,
    convolution,
    drop_identities,
    make_dropout,
)
from dlcheck.components.normalizations import make_norm
from dlcheck.recipe.model import ResidualCnn


class PreactivatedBlock(nn.Module):
    """x + two pre-activated 3×3 convolutions of it."""

    def __init__(self, inputs: int, outputs: int, stride: int, style: Style) -> None:
        super().__init__()
        wide = pieces(style.activation)
        self.conv1 = PreactivatedConv(inputs, outputs, 3, style, stride=stride)
        self.conv2 = PreactivatedConv(outputs, outputs, 3, style)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = convolution(wide * inputs, wide * outputs, 1, style.norm, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels, height / stride, width / stride)."""
        y: Tensor = self.conv2(self.conv1(x)) + self.shortcut(x)
        return y


def build_preact_resnet(section: ResidualCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build a pre-activation residual network.

    He et al. 2016, "Identity mappings in deep residual networks", ECCV, arXiv:1603.05027.
    """
    style = Style.of(section)
    channels, _ = image_shape(section.name, info)
    body: OrderedDict[str, nn.Module] = OrderedDict()
    body |= _stem(channels, section, style)
    inputs = section.width
    for index, count in enumerate(section.blocks):
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for number in range(count):
            stride = 2 if index and not number else 1
            width = section.width * 2**index
            blocks[f"block{number + 1}"] = PreactivatedBlock(inputs, width, stride, style)
            inputs = width
        body[f"stage{index + 1}"] = nn.Sequential(blocks)
    body |= last_activation(inputs, style)
    return Feedforward(body, nn.Linear(inputs, outputs))


def last_activation(channels: int, style: Style) -> OrderedDict[str, nn.Module]:
    """Return what ends a stream of pre-activated layers: normalisation, activation, one mean per channel."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        norm=make_norm(style.norm, channels * pieces(style.activation), 2),
        activation=make_activation(style.activation),
        average=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dropout=make_dropout(style.dropout),
    )
    return drop_identities(layers)


def _stem(channels: int, section: ResidualCnn, style: Style) -> OrderedDict[str, nn.Module]:
    wide = section.width * pieces(style.activation)
    if section.original:
        conv = convolution(channels, wide, 7, style.norm, stride=2)
        return OrderedDict(conv=conv, pool=nn.MaxPool2d(3, 2, 1))
    return OrderedDict(conv=convolution(channels, wide, 3, style.norm))
