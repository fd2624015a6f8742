"""The first loss of a training, and whether it is that of a network that knows nothing."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dlcheck.watching.account import Account
from dlcheck.watching.losses import Losses

EVEN = torch.randn(64, 10, generator=torch.Generator().manual_seed(0)) * 0.1
LABELS = torch.arange(64) % 10
MIXED = 0.7 * functional.one_hot(LABELS, 10).float() + 0.3 * functional.one_hot(LABELS.roll(1), 10).float()


def heard(given: Tensor, target: Tensor, name: str = "cross_entropy", *, steps: int = 0, **how: object) -> Losses:
    losses = Losses(Account())
    result = getattr(functional, name)(given, target, **how)
    losses.called(name, {"input": given, "target": target, **how}, result, training=True, steps=steps)
    return losses


@pytest.mark.parametrize("target", [LABELS, MIXED], ids=["classes", "mixed samples"])
def test_a_network_that_knows_nothing(target: Tensor) -> None:
    losses = heard(EVEN, target)
    assert losses.untrained() == pytest.approx(math.log(10))
    first = losses.first_fact(False)
    assert first is not None
    assert first.loss == pytest.approx(float(functional.cross_entropy(EVEN, target)))


@pytest.mark.parametrize(
    "losses",
    [
        pytest.param(heard(40 * EVEN, LABELS), id="sure and wrong"),
        pytest.param(heard(EVEN + 4 * functional.one_hot(LABELS, 10), LABELS), id="one that knows"),
        pytest.param(heard(EVEN, MIXED / 2), id="targets that are no probabilities"),
        pytest.param(heard(EVEN, LABELS, weight=torch.ones(10)), id="weights of classes"),
        pytest.param(heard(EVEN, LABELS, label_smoothing=0.1), id="smoothed labels"),
        pytest.param(heard(EVEN, LABELS, reduction="sum"), id="a sum"),
        pytest.param(heard(EVEN, LABELS, steps=3), id="not the first"),
        pytest.param(heard(EVEN[:, 0], MIXED[:, 0], "mse_loss"), id="a regression"),
    ],
)
def test_no_such_network_or_not_known(losses: Losses) -> None:
    assert losses.untrained() is None
