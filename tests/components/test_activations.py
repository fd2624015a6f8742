from typing import get_args

import pytest
import torch
from torch import nn

from dlcheck.components.activations import Maxout, make_activation, pieces
from dlcheck.recipe.model import Activation

NAMES: tuple[Activation, ...] = get_args(Activation)


def test_maxout_is_the_larger_of_two_linear_pieces() -> None:
    linear = nn.Linear(5, 6)
    x = torch.randn(4, 5)
    first, second = linear(x)[:, 0::2], linear(x)[:, 1::2]
    torch.testing.assert_close(Maxout()(linear(x)), torch.maximum(first, second))


def test_maxout_takes_neighbouring_channels_of_an_image() -> None:
    x = torch.randn(2, 8, 3, 5)
    torch.testing.assert_close(Maxout()(x), torch.maximum(x[:, 0::2], x[:, 1::2]))


@pytest.mark.parametrize("name", NAMES)
def test_output_has_the_channels_that_pieces_promises(name: Activation) -> None:
    assert make_activation(name)(torch.randn(2, 6 * pieces(name))).shape == (2, 6)


@pytest.mark.parametrize("name", NAMES)
def test_input_stays_as_it_was(name: Activation) -> None:
    x = torch.randn(2, 8)
    kept = x.clone()
    make_activation(name)(x)
    torch.testing.assert_close(x, kept, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "at_minus_two"),
    [("sigmoid", 0.119203), ("tanh", -0.964028), ("relu", 0.0), ("leaky_relu", -0.02), ("elu", -0.864665)],
)
def test_names_mean_the_usual_functions(name: Activation, at_minus_two: float) -> None:
    assert make_activation(name)(torch.tensor([-2.0])).item() == pytest.approx(at_minus_two, abs=1e-5)
