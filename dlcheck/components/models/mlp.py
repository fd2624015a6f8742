"""Fully connected networks."""

from collections import OrderedDict
from math import prod
from pathlib import Path

from torch import nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.layers import Feedforward, Style, dense_layers
from dlcheck.components.models.registry import MODELS
from dlcheck.recipe.model import Mlp


class Perceptron(Feedforward):
    """A multi-layer perceptron: (batch, …) flattened to (batch, features), then to (batch, outputs)."""


@MODELS.register(Mlp)
def build_mlp(section: Mlp, info: DataInfo, outputs: int, folder: Path) -> nn.Module:
    """Build ``hidden`` layers and a linear head; without hidden layers that is linear or softmax regression."""
    inputs = prod(info.input_shape)
    body: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    body |= dense_layers(inputs, section.hidden, Style.of(section))
    return Perceptron(body, nn.Linear([inputs, *section.hidden][-1], outputs))
