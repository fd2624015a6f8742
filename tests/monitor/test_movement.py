"""Whether steps move the weights, and how far: by known changes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcheck.monitor.optimizer_watch import STILL
from dlcheck.runs.facts import OptimizerSettings, WeightsMoving
from tests.monitor.loop import FEW, Loop


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3))


def still(loop: Loop) -> list[str]:
    return [one.layer for one in loop.known(WeightsMoving).still]


def values(loop: Loop, layer: str, statistic: str) -> dict[int, float]:
    rows = loop.record.run().layers
    assert rows is not None
    chosen = rows[(rows["layer"] == layer) & (rows["statistic"] == statistic)]
    return dict(zip(chosen["step"], chosen["value"], strict=True))


def test_weights_that_move() -> None:
    model = network()
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=0.1)).run()
    fact = loop.known(WeightsMoving)
    assert (fact.steps, fact.backwards, fact.layers, fact.still, fact.optimizers) == (FEW, FEW, 4, (), 1)


def test_a_step_that_changes_nothing_is_told_with_what_it_should_have_changed() -> None:
    class Idle(torch.optim.SGD):
        """Has forgotten one of its parameters."""

        @torch.no_grad()
        def step(self, closure: object = None) -> None:  # type: ignore[override]
            for group in self.param_groups:
                for parameter in group["params"][1:]:
                    parameter.sub_(group["lr"] * parameter.grad)

    model = network()
    loop = Loop(model, Idle(model.parameters(), lr=0.1)).run()
    (row,) = loop.known(WeightsMoving).still
    assert (row.layer, row.lr) == ("0", 0.1)
    assert row.steps >= STILL
    assert row.gradient is not None
    assert row.gradient > 0
    assert row.weight_norm == pytest.approx(float(next(model.parameters()).detach().norm()))


def test_an_update_too_small_for_its_precision_stands_still() -> None:
    model = nn.Sequential(nn.Linear(8, 3, bias=False))
    with torch.no_grad():
        model[0].weight.fill_(1e6)  # type: ignore[operator]
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=1e-12), lambda y, _: 1e-6 * y.mean()).run()
    assert still(loop) == ["0"]


@pytest.mark.parametrize("reason", ["frozen", "zero gradient", "no gradient", "rate of zero"])
def test_what_should_not_move_does_not_stand_still(reason: str) -> None:
    model = network()
    groups: list[dict[str, Any]] = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters()}]
    if reason == "frozen":
        model[0].requires_grad_(False)
    elif reason == "rate of zero":
        groups[0]["lr"] = 0.0

    def loss(y: Tensor, _: int) -> Tensor:
        return (0.0 * y).sum() if reason == "zero gradient" else y.square().mean()

    if reason == "no gradient":
        model[0].register_parameter("unused", nn.Parameter(torch.ones(2, 2)))
        groups[0]["params"] = model[0].parameters()
    loop = Loop(model, torch.optim.SGD(groups, lr=0.1), loss).run()
    assert still(loop) == []


def test_norms_and_ratio_of_a_known_step() -> None:
    model = nn.Sequential(nn.Linear(4, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, 0.0, 4.0, 0.0]]))  # type: ignore[operator]
    x = torch.tensor([[0.0, 2.0, 0.0, 0.0]])
    # The gradient is x, of norm 2, whatever the weights: the first step takes 0.5 times that off.
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=0.5), lambda y, _: y.sum()).run(1, [x])
    assert values(loop, "0", "weight_norm") == {1: pytest.approx(5.0)}
    assert values(loop, "0", "grad_norm") == {1: pytest.approx(2.0)}
    assert values(loop, "0", "update_ratio") == {1: pytest.approx(0.2)}
    scalars = loop.record.run().scalars
    assert scalars is not None
    total = scalars[scalars["metric"] == "grad_norm"]
    assert list(total["value"]) == [pytest.approx(2.0)]


def test_tied_weights_are_one_and_names_are_the_model_s_own() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Linear(8, 8), nn.Linear(8, 8)
            self.head.weight = self.embed.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.embed(x))  # type: ignore[no-any-return]

    model = nn.DataParallel(Tied())
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=0.1)).run()
    assert loop.known(WeightsMoving).layers == 3
    assert values(loop, "embed", "weight_norm")
    assert not values(loop, "head", "weight_norm")


def test_groups_and_their_rates() -> None:
    model = network()
    decayed = {"params": [model[0].weight, model[2].weight], "lr": 0.1, "weight_decay": 0.01}
    plain = {"params": [model[0].bias, model[2].bias], "lr": 0.3, "weight_decay": 0.0}
    optimizer = torch.optim.AdamW([decayed, plain], betas=(0.8, 0.95), eps=1e-7)

    def slow_down(y: Tensor, step: int) -> Tensor:
        for group in optimizer.param_groups:
            group["lr"] *= 0.5 if step == 20 else 2.0 if step == 10 else 1.0
        return y.square().mean()

    loop = Loop(model, optimizer, slow_down).run()
    fact = loop.known(OptimizerSettings)
    first, second = fact.groups
    assert (first.optimizer, first.parameters, first.norms_or_biases, second.norms_or_biases) == ("AdamW", 66, 0, 9)
    assert [(one.lr, one.lr_highest, one.weight_decay) for one in fact.groups] == [(0.1, 0.2, 0.01), (0.3, 0.6, 0.0)]
    assert (first.decoupled, first.momentum, first.beta2, first.eps, first.maximize) == (True, 0.8, 0.95, 1e-7, False)
    assert (fact.steps, fact.duplicates) == (FEW, 0)
    for group, base in enumerate((0.1, 0.3)):
        rates = values(loop, f"group{group}", "lr")
        assert set(rates) >= {1, 2, 4, 8, 16, 32}
        assert all(rate == base * (2 if 10 <= step < 20 else 1) for step, rate in rates.items())


def test_several_optimizers_and_a_tensor_as_rate() -> None:
    model = network()
    loop = Loop(model, torch.optim.SGD(model[0].parameters(), lr=torch.tensor(0.25), momentum=0.9, maximize=True))
    other = torch.optim.Adagrad(model.parameters(), lr=0.01)
    loop.monitor.add_optimizer(other)
    loop.before_step = lambda _: other.step() and None
    fact = loop.run().known(OptimizerSettings)
    assert [one.optimizer for one in fact.groups] == ["SGD", "Adagrad"]
    assert (fact.groups[0].lr, fact.groups[0].momentum, fact.groups[0].maximize) == (0.25, 0.9, True)
    assert fact.duplicates == 2
    assert loop.known(WeightsMoving).optimizers == 2


def test_a_closure_s_gradients_are_those_of_its_last_call() -> None:
    model = nn.Sequential(nn.Linear(8, 1, bias=False))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=3)
    loop = Loop(model, optimizer)
    x = torch.randn(32, 8)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = (model(x) - 1).square().mean()
        loop.monitor.loss(loss)
        loss.backward()  # type: ignore[no-untyped-call]
        loop.monitor.backward_ended()
        return loss

    for _ in range(4):
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    loop.monitor.close()
    fact = loop.known(WeightsMoving)
    assert (fact.steps, fact.still) == (4, ())
    assert fact.backwards > 4
    norms = values(loop, "0", "grad_norm")
    assert set(norms) >= {1, 2, 4}
    assert all(math.isfinite(norm) and norm > 0 for norm in norms.values())
