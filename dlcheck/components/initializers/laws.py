"""Initialisations that draw each weight matrix from a law of its own, without looking at data."""

from math import sqrt

from torch import Tensor, nn

from dlcheck.components.activations import Maxout
from dlcheck.components.initializers.fill import Draw, fill_biases, fill_weights
from dlcheck.components.initializers.registry import INITIALIZERS, Setting
from dlcheck.recipe.model import ConstantInit, DefaultInit, OrthogonalInit, RandomInit, ScaledInit

_RECTIFIERS = (nn.ReLU, nn.GELU, nn.ELU, nn.SiLU)


@INITIALIZERS.register(DefaultInit)
def leave_default(section: DefaultInit, setting: Setting) -> None:
    """Leave each layer as PyTorch made it."""


@INITIALIZERS.register(ConstantInit)
def fill_constant(section: ConstantInit, setting: Setting) -> None:
    """Set every weight, embeddings included, to 0 or to ``value``."""
    value = 0.0 if section.name == "zeros" else section.value

    def draw(weight: Tensor) -> None:
        weight.fill_(value)

    fill_weights(setting.scope, draw, draw_embedding=draw)
    fill_biases(setting.scope, section.bias)


@INITIALIZERS.register(RandomInit)
def fill_random(section: RandomInit, setting: Setting) -> None:
    """Draw every weight, embeddings included, from one law of mean 0 and standard deviation ``std``."""

    def draw(weight: Tensor) -> None:
        draw_spread(weight, section.std, section.name)

    fill_weights(setting.scope, draw, draw_embedding=draw)
    fill_biases(setting.scope, section.bias)


@INITIALIZERS.register(ScaledInit)
def fill_scaled(section: ScaledInit, setting: Setting) -> None:
    """Draw weights with a standard deviation by the number of a layer's inputs and outputs.

    ``lecun``: √(1/inputs), LeCun et al. 1998, "Efficient backprop"; ``xavier``: √(2/(inputs + outputs)), Glorot &
    Bengio 2010, AISTATS; ``he``: √(2/inputs) for rectifiers, He et al. 2015, arXiv:1502.01852, with the gain of
    the model's own activation where it has another. All times ``gain``.
    """
    gain = section.gain * (rectifier_gain(setting.model) if section.name == "he" else 1.0)

    def draw(weight: Tensor) -> None:
        inputs, outputs = fans(weight)
        fan = (inputs + outputs) / 2 if section.name == "xavier" else inputs
        draw_spread(weight, gain / sqrt(fan), section.distribution)

    fill_weights(setting.scope, draw)
    fill_biases(setting.scope, section.bias)


@INITIALIZERS.register(OrthogonalInit)
def fill_orthogonal(section: OrthogonalInit, setting: Setting) -> None:
    """Make weights orthogonal; ``identity`` makes hidden-to-hidden matrices the identity instead.

    Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning", ICLR, arXiv:1312.6120; identity: Le,
    Jaitly & Hinton 2015, "A simple way to initialize recurrent networks of rectified linear units",
    arXiv:1504.00941. All times ``gain``.
    """
    hidden = identity(section.gain) if section.name == "identity" else orthogonal(section.gain)
    fill_weights(setting.scope, orthogonal(section.gain), draw_recurrent=hidden)
    fill_biases(setting.scope, section.bias)


def orthogonal(gain: float = 1.0) -> Draw:
    """Return a draw of matrices whose rows, or columns where these are fewer, are orthogonal, of length ``gain``."""

    def draw(weight: Tensor) -> None:
        nn.init.orthogonal_(weight, gain)

    return draw


def identity(gain: float = 1.0) -> Draw:
    """Return a draw of ``gain`` times the identity matrix."""

    def draw(weight: Tensor) -> None:
        nn.init.eye_(weight).mul_(gain)

    return draw


def draw_spread(weight: Tensor, std: float, distribution: str) -> None:
    """Fill with mean 0 and standard deviation ``std``: normal, or uniform on ±``std``·√3."""
    if distribution == "uniform":
        weight.uniform_(-std * sqrt(3), std * sqrt(3))
    else:
        weight.normal_(0.0, std)


def fans(weight: Tensor) -> tuple[int, int]:
    """Return the numbers of inputs and outputs that one unit is connected to, pixels of the kernel included."""
    pixels = weight[0][0].numel()
    return weight.shape[1] * pixels, weight.shape[0] * pixels


def rectifier_gain(model: nn.Module) -> float:
    """Return √(1/E[f(z)²/z²]) for the model's first activation f; √2, that of ReLU, when there is none.

    He et al. 2015, equations 10 and 15. GELU and ELU are taken as rectifiers; sigmoid and tanh have the gains of
    ``torch.nn.init.calculate_gain``; the larger of two independent pieces (maxout) keeps E[z²], so its gain is 1.
    """
    for module in model.modules():
        if isinstance(module, _RECTIFIERS):
            return sqrt(2.0)
        if isinstance(module, nn.LeakyReLU):
            return nn.init.calculate_gain("leaky_relu", module.negative_slope)
        if isinstance(module, nn.Tanh):
            return nn.init.calculate_gain("tanh")
        if isinstance(module, (nn.Sigmoid, Maxout)):
            return 1.0
    return sqrt(2.0)
