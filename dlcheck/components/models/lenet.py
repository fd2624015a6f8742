"""LeNet-5."""

from collections import OrderedDict

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.images import halve, image_shape
from dlcheck.components.models.layers import ConvLayer, Feedforward, Style, classifier_layers, scaled
from dlcheck.errors import DlcheckError
from dlcheck.recipe.model import ClassicCnn


def build_lenet(section: ClassicCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build two 5×5 convolutions with average pooling and layers of 120 and 84 units.

    LeCun et al. 1998, "Gradient-based learning applied to document recognition", Proc. IEEE 86; with all
    connections between the second convolution and the maps before it, and a linear output.
    """
    style = Style.of(section)
    inputs, size = image_shape(section.name, info)
    first, second = scaled(6, section.width), scaled(16, section.width)
    hidden = [scaled(120, section.width), scaled(84, section.width)]
    pads = _padding(size) if section.original else (2, 2)
    pool, size = halve((size[0] + 2 * pads[0] - 4, size[1] + 2 * pads[0] - 4), "average")
    body: OrderedDict[str, nn.Module] = OrderedDict()
    body["conv1"] = ConvLayer(inputs, first, 5, style, padding=pads[0], pool=pool)
    pool, size = halve((size[0] + 2 * pads[1] - 4, size[1] + 2 * pads[1] - 4), "average")
    body["conv2"] = ConvLayer(first, second, 5, style, padding=pads[1], pool=pool)
    body["flatten"] = nn.Flatten()
    body |= classifier_layers(second * size[0] * size[1], hidden, style)
    return Feedforward(body, nn.Linear(hidden[-1], outputs))


def _padding(size: tuple[int, int]) -> tuple[int, int]:
    """Return the padding of both convolutions: digits of 28 pixels were set into 32 for the published network."""
    if size not in ((28, 28), (32, 32)):
        raise DlcheckError(
            f"model.original = true: LeNet-5 takes images of 28×28 or 32×32 pixels, not {size[0]}×{size[1]}; "
            "resize them, or leave original false"
        )
    return (2 if size == (28, 28) else 0), 0
