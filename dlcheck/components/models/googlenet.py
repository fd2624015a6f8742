"""GoogLeNet and its inception blocks."""

from collections import OrderedDict
from typing import Final

import torch
from torch import Tensor, nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.images import Size, image_shape, make_pool
from dlcheck.components.models.layers import ConvLayer, Feedforward, Style, make_dropout, scaled
from dlcheck.recipe.model import ClassicCnn

Branches = tuple[int, int, int, int, int, int]
"""Channels: 1×1; before 3×3, 3×3; before 5×5, 5×5; after pooling."""

STAGES: Final[tuple[tuple[Branches, ...], ...]] = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Blocks 3a–3b, 4a–4e and 5a–5b of the paper's table 1."""


class Inception(nn.Module):
    """Four views of the same input side by side: 1×1, 3×3, 5×5 and pooled."""

    def __init__(self, inputs: int, branches: Branches, style: Style) -> None:
        super().__init__()
        one, before3, three, before5, five, pooled = branches
        self.outputs = one + three + five + pooled
        self.branch1 = ConvLayer(inputs, one, 1, style)
        self.branch3 = nn.Sequential(ConvLayer(inputs, before3, 1, style), ConvLayer(before3, three, 3, style))
        self.branch5 = nn.Sequential(ConvLayer(inputs, before5, 1, style), ConvLayer(before5, five, 5, style))
        self.branch_pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), ConvLayer(inputs, pooled, 1, style))

    def forward(self, x: Tensor) -> Tensor:
        """Return the branches' channels one after another, at the input's size."""
        return torch.cat([self.branch1(x), self.branch3(x), self.branch5(x), self.branch_pool(x)], dim=1)


def build_googlenet(section: ClassicCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build GoogLeNet without its auxiliary classifiers; local response normalisation is left out.

    Szegedy et al. 2015, "Going deeper with convolutions", CVPR, arXiv:1409.4842.
    """
    style = Style.of(section)
    channels, size = image_shape(section.name, info)
    body, inputs, size = _stem(section, channels, style, size)
    for number, stage in enumerate(STAGES, start=3):
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for letter, branches in zip("abcde", stage, strict=False):
            block = Inception(inputs, _scale(branches, section.width), style)
            blocks[letter] = block
            inputs = block.outputs
        body[f"inception{number}"] = nn.Sequential(blocks)
        if number < 5:
            body[f"pool{number}"], size = make_pool(size, section.original)
    body["average"] = nn.AdaptiveAvgPool2d(1)
    body["flatten"] = nn.Flatten()
    body["dropout"] = make_dropout(style.dropout)
    return Feedforward(body, nn.Linear(inputs, outputs))


def _stem(
    section: ClassicCnn, channels: int, style: Style, size: Size
) -> tuple[OrderedDict[str, nn.Module], int, Size]:
    first, second = scaled(64, section.width), scaled(192, section.width)
    body: OrderedDict[str, nn.Module] = OrderedDict()
    pool, size = make_pool(size, section.original)
    if not section.original:
        body["conv1"] = ConvLayer(channels, first, 3, style, pool=pool)
        return body, first, size
    body["conv1"] = ConvLayer(channels, first, 7, style, stride=2, pool=pool)
    body["conv2"] = ConvLayer(first, first, 1, style)
    body["conv3"] = ConvLayer(first, second, 3, style, pool=make_pool(size, True)[0])
    return body, second, size


def _scale(branches: Branches, width: float) -> Branches:
    one, before3, three, before5, five, pooled = (scaled(count, width) for count in branches)
    return one, before3, three, before5, five, pooled
