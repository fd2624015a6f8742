"""Gradient noise, against the definition computed directly."""

import pytest
import torch
from torch import Tensor, nn

from dlcheck.monitor.noise import KEEP, GradientNoise
from dlcheck.monitor.transfer import Transfer
from tests.monitor.loop import Loop

SHAPES = [(7, 5), (11,)]


def pair(signal: list[Tensor], spread: float, batch: int) -> list[list[Tensor]]:
    """Return gradients of two batches: the signal, and the mean of so many samples' independent noise."""
    return [[one + spread * torch.randn(one.shape) / batch**0.5 for one in signal] for _ in range(2)]


def tell(noise: GradientNoise, gradients: list[list[Tensor]], batch: int) -> None:
    assert noise.first(gradients[0])
    noise.second(gradients[1], batch)


def test_one_pair_by_hand() -> None:
    noise = GradientNoise(Transfer())
    one, other = [torch.randn(shape) + 1 for shape in SHAPES], [torch.randn(shape) + 1 for shape in SHAPES]
    tell(noise, [one, other], 16)
    first, second = (torch.cat([tensor.flatten() for tensor in row]).double() for row in (one, other))
    signal = float(first @ second)
    trace = 16 * (float(first @ first + second @ second) / 2 - signal)
    assert signal > 0
    assert noise.noise == pytest.approx(trace / signal, rel=1e-5)


def test_pairs_are_averaged_numerator_and_denominator_apart() -> None:
    noise = GradientNoise(Transfer())
    tell(noise, [[torch.tensor([3.0, 0.0])], [torch.tensor([1.0, 0.0])]], 2)  # signal 3, noise 2 · (5 − 3)
    tell(noise, [[torch.tensor([1.0, 1.0])], [torch.tensor([1.0, -0.5])]], 2)  # signal 0.5, noise 2 · (1.625 − 0.5)
    assert noise.noise == pytest.approx((4 * KEEP + 2.25) / (3 * KEEP + 0.5))


def test_many_pairs_come_to_what_the_noise_was_made_with() -> None:
    noise, signal = GradientNoise(Transfer()), [torch.full(shape, 0.5) for shape in SHAPES]
    for _ in range(200):
        tell(noise, pair(signal, 2.0, 64), 64)
    # tr(Σ) / |G|²: each of 46 numbers has variance 4 a sample, and each of the signal's is 1/4.
    assert noise.noise == pytest.approx(4 / 0.25, rel=0.15)


def test_pure_noise_has_no_scale_and_pure_signal_none_either() -> None:
    noise = GradientNoise(Transfer())
    tell(noise, [[torch.tensor([1.0, 0.0])], [torch.tensor([-1.0, 0.1])]], 8)
    assert noise.noise is None
    same = GradientNoise(Transfer())
    tell(same, [[torch.tensor([2.0, 0.0])], [torch.tensor([2.0, 0.0])]], 8)
    assert same.noise is None


def test_what_does_not_belong_together_is_not_compared() -> None:
    noise = GradientNoise(Transfer())
    assert not noise.first([])
    assert noise.first([torch.ones(3)])
    noise.forget()
    noise.second([torch.ones(3)], 8)
    noise.first([torch.ones(3)])
    noise.second([torch.ones(4)], 8)
    assert noise.noise is None


def test_the_copied_gradient_is_that_of_its_step() -> None:
    noise, gradient = GradientNoise(Transfer()), torch.tensor([3.0, 0.0])
    noise.first([gradient])
    gradient.copy_(torch.tensor([1.0, 0.0]))
    noise.second([gradient], 2)
    assert noise.noise == pytest.approx(4 / 3)


def test_a_training_s_noise_scale_is_that_of_its_samples() -> None:
    model = nn.Linear(64, 1, bias=False)
    with torch.no_grad():
        model.weight.zero_()
    # The gradient of −y is −x, whatever the weights: mean 1 and variance 9 in each of 64 axes.
    batches = [1 + 3 * torch.randn(128, 64) for _ in range(600)]
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=1e-9), lambda y, _: -y.mean())
    with torch.no_grad():
        model.weight.fill_(1.0)
    rows = loop.run(600, batches).record.run().scalars
    assert rows is not None
    found = rows[rows["metric"] == "gradient_noise"]["value"]
    assert len(found) > 5
    assert float(found.iloc[-1]) == pytest.approx(9.0, rel=0.25)
