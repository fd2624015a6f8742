"""The layers that all our networks are made of."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from dlcheck.components.activations import make_activation, pieces
from dlcheck.components.normalizations import keeps_bias, make_norm, weight_normalized
from dlcheck.recipe.model import Activation, Normalization


class StyledSection(Protocol):
    """A model section with the keys for style."""

    @property
    def activation(self) -> Activation: ...  # noqa: D102
    @property
    def norm(self) -> Normalization: ...  # noqa: D102
    @property
    def dropout(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Style:
    """What follows each convolution or fully connected layer."""

    activation: Activation = "relu"
    norm: Normalization = "none"
    dropout: float = 0.0

    @classmethod
    def of(cls, section: StyledSection) -> "Style":
        """Take the style from a model section."""
        return cls(section.activation, section.norm, section.dropout)


class ConvLayer(nn.Sequential):
    """Convolution, normalisation, activation and, if given, pooling.

    Takes (batch, ``inputs``, height, width) and gives ``outputs`` channels. The padding keeps the size of the
    image for an odd kernel and stride 1 unless it is given. ``active=False`` leaves the activation out.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        style: Style,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        pool: nn.Module | None = None,
        active: bool = True,
    ) -> None:
        wide = outputs * pieces(style.activation) if active else outputs
        conv = convolution(inputs, wide, kernel, style.norm, stride=stride, padding=padding, groups=groups)
        layers: OrderedDict[str, nn.Module] = OrderedDict(conv=conv, norm=make_norm(style.norm, wide, 2))
        if active:
            layers["activation"] = make_activation(style.activation)
        if pool is not None:
            layers["pool"] = pool
        super().__init__(drop_identities(layers))


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    norm: Normalization,
    *,
    stride: int = 1,
    padding: int | None = None,
    groups: int = 1,
) -> nn.Conv2d:
    """Return a convolution, without the bias that the normalisation after it would remove."""
    pad = kernel // 2 if padding is None else padding
    conv = nn.Conv2d(inputs, outputs, kernel, stride, pad, groups=groups, bias=keeps_bias(norm))
    return weight_normalized(conv, norm)


class PreactivatedConv(nn.Sequential):
    """Normalisation, activation, convolution, in this order.

    With maxout the stream of features is twice as wide as the counts given here, before and after.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, style: Style, *, stride: int = 1) -> None:
        wide = pieces(style.activation)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            norm=make_norm(style.norm, wide * inputs, 2),
            activation=make_activation(style.activation),
            conv=convolution(inputs, wide * outputs, kernel, style.norm, stride=stride),
        )
        super().__init__(drop_identities(layers))


class DenseLayer(nn.Sequential):
    """Fully connected layer, normalisation, activation, dropout: (batch, ``inputs``) to (batch, ``outputs``)."""

    def __init__(self, inputs: int, outputs: int, style: Style) -> None:
        wide = outputs * pieces(style.activation)
        linear = weight_normalized(nn.Linear(inputs, wide, bias=keeps_bias(style.norm)), style.norm)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            linear=linear,
            norm=make_norm(style.norm, wide, 1),
            activation=make_activation(style.activation),
            dropout=make_dropout(style.dropout),
        )
        super().__init__(drop_identities(layers))


class Feedforward(nn.Module):
    """A ``body`` of named stages, one after another, and the ``head`` that makes the outputs."""

    def __init__(self, body: OrderedDict[str, nn.Module], head: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(drop_identities(body))
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, outputs)."""
        outputs: Tensor = self.head(self.body(x))
        return outputs


def dense_layers(inputs: int, hidden: list[int], style: Style) -> OrderedDict[str, nn.Module]:
    """Return the layers ``layer1``, ``layer2``, …; with none, dropout alone still precedes the head."""
    if not hidden:
        return OrderedDict(dropout=make_dropout(style.dropout))
    sizes = zip([inputs, *hidden], hidden, strict=False)
    return OrderedDict((f"layer{i}", DenseLayer(a, b, style)) for i, (a, b) in enumerate(sizes, start=1))


def classifier_layers(inputs: int, hidden: list[int], style: Style) -> OrderedDict[str, nn.Module]:
    """Return the fully connected layers after convolutions, which are not normalised, as in the VGG networks."""
    return dense_layers(inputs, hidden, Style(style.activation, "none", style.dropout))


def make_dropout(rate: float) -> nn.Module:
    """Return dropout (Srivastava et al. 2014, JMLR 15), or the identity for rate 0."""
    return nn.Dropout(rate) if rate else nn.Identity()


def drop_identities(layers: OrderedDict[str, nn.Module]) -> OrderedDict[str, nn.Module]:
    """Leave out layers that do nothing."""
    return OrderedDict((name, layer) for name, layer in layers.items() if type(layer) is not nn.Identity)


def scaled(channels: int, width: float) -> int:
    """Return a channel count times the width factor, at least 1."""
    return max(1, round(channels * width))
