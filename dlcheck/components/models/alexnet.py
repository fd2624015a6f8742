"""AlexNet and ZFNet: five convolutions, three fully connected layers."""

from collections import OrderedDict

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.images import Size, halve, image_shape
from dlcheck.components.models.layers import ConvLayer, Feedforward, Style, classifier_layers, scaled
from dlcheck.recipe.model import ClassicCnn

SMALL_HIDDEN = 1024  # published: 4096, at 36 values per channel instead of 4


def build_alexnet(section: ClassicCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build AlexNet in its one-column form; local response normalisation is left out, ``norm`` has its place.

    Krizhevsky et al. 2012, NeurIPS; channel counts of Krizhevsky 2014, "One weird trick", arXiv:1404.5997.
    """
    channels = [64, 192, 384, 256, 256]
    kernels = [(11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1)]
    return _build(section, info, outputs, channels, kernels, pool_padding=0)


def build_zfnet(section: ClassicCnn, info: DataInfo, outputs: int) -> nn.Module:
    """Build ZFNet: AlexNet with a finer first look, 7×7 in steps of 2.

    Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", ECCV, arXiv:1311.2901.
    """
    channels = [96, 256, 384, 384, 256]
    kernels = [(7, 2, 1), (5, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1)]
    return _build(section, info, outputs, channels, kernels, pool_padding=1)


def _build(
    section: ClassicCnn,
    info: DataInfo,
    outputs: int,
    channels: list[int],
    kernels: list[tuple[int, int, int]],
    pool_padding: int,
) -> nn.Module:
    style = Style.of(section)
    inputs, size = image_shape(section.name, info)
    counts = [scaled(count, section.width) for count in channels]
    if section.original:
        body = _original(inputs, counts, kernels, pool_padding, style)
        side, units = 6, scaled(4096, section.width)
    else:
        body = _small(inputs, counts, style, size)
        side, units = 2, scaled(SMALL_HIDDEN, section.width)
    body["average"] = nn.AdaptiveAvgPool2d(side)
    body["flatten"] = nn.Flatten()
    body |= classifier_layers(counts[-1] * side * side, [units, units], style)
    return Feedforward(body, nn.Linear(units, outputs))


def _original(
    inputs: int, counts: list[int], kernels: list[tuple[int, int, int]], pool_padding: int, style: Style
) -> OrderedDict[str, nn.Module]:
    body: OrderedDict[str, nn.Module] = OrderedDict()
    for index, (count, (kernel, stride, padding)) in enumerate(zip(counts, kernels, strict=True), start=1):
        pool = nn.MaxPool2d(3, 2, pool_padding if index < 5 else 0) if index in (1, 2, 5) else None
        layer = ConvLayer(inputs, count, kernel, style, stride=stride, padding=padding, pool=pool)
        body[f"conv{index}"] = layer
        inputs = count
    return body


def _small(inputs: int, counts: list[int], style: Style, size: Size) -> OrderedDict[str, nn.Module]:
    body: OrderedDict[str, nn.Module] = OrderedDict()
    for index, count in enumerate(counts, start=1):
        pool: nn.Module | None = None
        if index in (1, 2, 5):
            pool, size = halve(size)
        body[f"conv{index}"] = ConvLayer(inputs, count, 3, style, pool=pool)
        inputs = count
    return body
