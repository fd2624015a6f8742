"""Plain convolutional networks."""

from collections import OrderedDict
from pathlib import Path

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.images import Size, halve, image_shape
from dlcheck.components.models.layers import ConvLayer, Feedforward, Style, classifier_layers
from dlcheck.components.models.registry import MODELS
from dlcheck.recipe.model import Cnn


@MODELS.register(Cnn)
def build_cnn(section: Cnn, info: DataInfo, outputs: int, folder: Path) -> nn.Module:
    """Build one stage per entry of ``channels``, then ``hidden`` fully connected layers and the head."""
    style = Style.of(section)
    inputs, size = image_shape(section.name, info)
    body, size = conv_stages(inputs, section.channels, section.kernel, section.pool, style, size)
    flat = section.channels[-1] * size[0] * size[1]
    body["flatten"] = nn.Flatten()
    body |= classifier_layers(flat, section.hidden, style)
    return Feedforward(body, nn.Linear([flat, *section.hidden][-1], outputs))


def conv_stages(
    inputs: int, channels: list[int], kernel: int, pool: str, style: Style, size: Size
) -> tuple[OrderedDict[str, nn.Module], Size]:
    """Return ``stage1``, ``stage2``, … of convolution and pooling, and the size of the image after them."""
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    for index, outputs in enumerate(channels, start=1):
        growth = 1 - kernel % 2  # an even kernel, padded by half of it, adds a pixel
        halved, size = halve((size[0] + growth, size[1] + growth), pool)
        stages[f"stage{index}"] = ConvLayer(inputs, outputs, kernel, style, pool=halved)
        inputs = outputs
    return stages, size
