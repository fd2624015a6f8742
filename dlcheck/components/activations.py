"""Activation functions by the names that recipes use. None works in place: monitors read what flows in."""

from collections.abc import Callable
from typing import Final

from torch import Tensor, nn

from dlcheck.recipe.model import Activation

PIECES: Final = 2


class Maxout(nn.Module):
    """The largest of two linear pieces, taken over neighbouring channels.

    (batch, 2·features, …) becomes (batch, features, …); the layer before it supplies the pieces.
    Goodfellow et al. 2013, "Maxout networks", ICML, arXiv:1302.4389.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Halve the number of channels."""
        largest: Tensor = x.reshape(x.shape[0], -1, PIECES, *x.shape[2:]).max(dim=2).values
        return largest


_ACTIVATIONS: Final[dict[str, Callable[[], nn.Module]]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "maxout": Maxout,
}


def make_activation(name: Activation) -> nn.Module:
    """Return a new activation module; leaky ReLU has slope 0.01, ELU α = 1."""
    return _ACTIVATIONS[name]()


def pieces(name: Activation) -> int:
    """Return how many times more channels the layer before the activation must make than come out of it."""
    return PIECES if name == "maxout" else 1
