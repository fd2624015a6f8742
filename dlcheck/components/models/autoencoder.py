"""Autoencoders of fully connected layers."""

from collections import OrderedDict
from math import prod
from pathlib import Path

from torch import Tensor, nn

from dlcheck.components.info import DataInfo
from dlcheck.components.models.layers import Style, dense_layers
from dlcheck.components.models.registry import MODELS
from dlcheck.recipe.model import Autoencoder


class AutoencoderNetwork(nn.Module):
    """Squeezes an input of any shape through ``code`` numbers and restores it.

    Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural networks", Science 313.
    """

    def __init__(self, section: Autoencoder, shape: tuple[int, ...]) -> None:
        super().__init__()
        style, inputs, hidden = Style.of(section), prod(shape), list(section.hidden)
        self.shape = shape
        encoder: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
        encoder |= dense_layers(inputs, hidden, style)
        encoder["code"] = nn.Linear(hidden[-1], section.code)
        self.encoder = nn.Sequential(encoder)
        self.decoder = nn.Sequential(dense_layers(section.code, hidden[::-1], style))
        self.head = nn.Linear(hidden[0], inputs)

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (batch, ``code``)."""
        code: Tensor = self.encoder(x)
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Return what the codes stand for, (batch, …) in the shape of the inputs."""
        flat: Tensor = self.head(self.decoder(code))
        return flat.reshape(-1, *self.shape)

    def forward(self, x: Tensor) -> Tensor:
        """Return the restored input."""
        return self.decode(self.encode(x))


@MODELS.register(Autoencoder)
def build_autoencoder(section: Autoencoder, info: DataInfo, outputs: int, folder: Path) -> nn.Module:
    """Build encoder and decoder for inputs of any numeric shape."""
    return AutoencoderNetwork(section, info.input_shape)
