"""Networks of skip connections, by name: the stem, the stages, and the head that they share."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.densenet import build_densenet
from dlcheck.components.models.images import image_shape
from dlcheck.components.models.layers import ConvLayer, Feedforward, Style, make_dropout
from dlcheck.components.models.preact_resnet import build_preact_resnet
from dlcheck.components.models.registry import MODELS
from dlcheck.components.models.resnet import BasicBlock, NextBlock, ResidualBlock
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import ResidualCnn

BlockBuilder = Callable[[int, int, int, Style], ResidualBlock]
"""Takes channels before, the stage's width, stride and style."""


def build_resnet(section: ResidualCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build a residual network of two-layer blocks.

    He et al. 2016, "Deep residual learning for image recognition", CVPR, arXiv:1512.03385: ``blocks`` [2, 2, 2, 2]
    and ``width`` 64 with ``original`` is ResNet-18, [3, 4, 6, 3] ResNet-34.
    """
    return _build(section, info, outputs, BasicBlock)


def build_senet(section: ResidualCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build a residual network whose blocks weigh their channels.

    Hu et al. 2018, "Squeeze-and-excitation networks", CVPR, arXiv:1709.01507.
    """

    def block(inputs: int, width: int, stride: int, style: Style) -> ResidualBlock:
        return BasicBlock(inputs, width, stride, style, excite=True)

    return _build(section, info, outputs, block)


def build_resnext(section: ResidualCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build a residual network of bottleneck blocks with grouped convolutions.

    Xie et al. 2017, "Aggregated residual transformations for deep neural networks", CVPR, arXiv:1611.05431:
    ``blocks`` [3, 4, 6, 3], ``width`` 64 and ``groups`` 32 with ``original`` is ResNeXt-50 (32×4d).

    Raises:
        DlcheckError: ``groups`` does not divide the channels of the grouped convolutions.
    """
    if (2 * section.width) % section.groups:
        raise DlcheckError(
            f"model.groups = {section.groups} does not divide 2 × model.width = {2 * section.width}, "
            "the channels of the first stage's grouped convolutions"
        )

    def block(inputs: int, width: int, stride: int, style: Style) -> ResidualBlock:
        return NextBlock(inputs, width, stride, style, groups=section.groups)

    return _build(section, info, outputs, block)


def _build(section: ResidualCnn, info: DataInfo, outputs: int, block: BlockBuilder) -> nn.Module:
    style = Style.of(section)
    channels, _ = image_shape(section.name, info)
    body: OrderedDict[str, nn.Module] = OrderedDict(stem=_stem(channels, section, style))
    inputs = section.width
    for index, count in enumerate(section.blocks):
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for number in range(count):
            stride = 2 if index and not number else 1
            made = block(inputs, section.width * 2**index, stride, style)
            blocks[f"block{number + 1}"] = made
            inputs = made.outputs
        body[f"stage{index + 1}"] = nn.Sequential(blocks)
    body["average"] = nn.AdaptiveAvgPool2d(1)
    body["flatten"] = nn.Flatten()
    body["dropout"] = make_dropout(style.dropout)
    return Feedforward(body, nn.Linear(inputs, outputs))


def _stem(channels: int, section: ResidualCnn, style: Style) -> nn.Module:
    if section.original:
        return ConvLayer(channels, section.width, 7, style, stride=2, pool=nn.MaxPool2d(3, 2, 1))
    return ConvLayer(channels, section.width, 3, style)


_NETWORKS: Final[dict[str, Callable[[ResidualCnn, DataInfo, int], nn.Module]]] = {
    "resnet": build_resnet,
    "preact_resnet": build_preact_resnet,
    "senet": build_senet,
    "resnext": build_resnext,
    "densenet": build_densenet,
}


@MODELS.register(ResidualCnn)
def build_residual(section: ResidualCnn, info: DataInfo, outputs: int, folder: Path) -> nn.Module:
    """Build the network of this name."""
    return _NETWORKS[section.name](section, info, outputs)
