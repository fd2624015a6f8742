"""The VGG networks."""

from collections import OrderedDict
from typing import Final

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.images import halve, image_shape
from dlcheck.components.models.layers import ConvLayer, Feedforward, Style, classifier_layers, scaled
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import ClassicCnn

CHANNELS: Final = (64, 128, 256, 512, 512)
CONVOLUTIONS: Final = {
    8: (1, 1, 1, 1, 1),
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Convolutions of each stage by depth; three fully connected layers follow."""


def build_vgg(section: ClassicCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build five stages of 3×3 convolutions; on small images, one mean per channel feeds layers of 512 units.

    Simonyan & Zisserman 2015, "Very deep convolutional networks for large-scale image recognition", ICLR,
    arXiv:1409.1556.

    Raises:
        DlcheckError: no such depth was published.
    """
    if section.original and section.depth == 8:
        raise DlcheckError("model.depth = 8 is for small images; with original = true: 11, 13, 16 or 19")
    style = Style.of(section)
    inputs, size = image_shape(section.name, info)
    body: OrderedDict[str, nn.Module] = OrderedDict()
    for index, (count, repeats) in enumerate(zip(CHANNELS, CONVOLUTIONS[section.depth], strict=True), start=1):
        pool, size = (nn.MaxPool2d(2), size) if section.original else halve(size)
        outer = scaled(count, section.width)
        body[f"stage{index}"] = _stage(inputs, outer, repeats, style, pool)
        inputs = outer
    side, units = (7, scaled(4096, section.width)) if section.original else (1, scaled(512, section.width))
    body["average"] = nn.AdaptiveAvgPool2d(side)
    body["flatten"] = nn.Flatten()
    body |= classifier_layers(inputs * side * side, [units, units], style)
    return Feedforward(body, nn.Linear(units, outputs))


def _stage(inputs: int, outputs: int, repeats: int, style: Style, pool: nn.Module) -> nn.Module:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index in range(1, repeats + 1):
        last = pool if index == repeats else None
        layers[f"conv{index}"] = ConvLayer(inputs, outputs, 3, style, pool=last)
        inputs = outputs
    return nn.Sequential(layers)
