"""Which passes of a script's models are looked at before their first step."""

import torch
from torch import nn

from dlcheck.watching.depths import MOST_PASSES, Depths


def run(depths: Depths, model: nn.Module, *, backward: bool) -> None:
    x = torch.randn(12, 4)
    depths.begins(model, x)
    output = model(x)
    depths.ends(output)
    if backward:
        output.sum().backward()
        depths.backward_ended()


def hooked(model: nn.Module) -> bool:
    return any(module._forward_hooks for module in model.modules())


def test_the_first_pass_that_a_backward_pass_follows() -> None:
    depths, model = Depths(), nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
    run(depths, model, backward=False)
    assert depths.fact() is None
    run(depths, model, backward=True)
    fact = depths.fact()
    assert fact is not None
    assert fact.layers == ("0", "2")
    assert fact.samples == 12
    assert all(fact.gradient_norm)
    with torch.no_grad():
        model[0].weight.mul_(100)  # type: ignore[operator]
    run(depths, model, backward=True)
    assert depths.fact() == fact
    assert not hooked(model)


def test_a_model_that_has_made_a_step_and_one_that_never_trains() -> None:
    depths, model = Depths(), nn.Linear(4, 1)
    run(depths, model, backward=False)
    depths.stepped()
    depths.backward_ended()
    assert depths.fact() is None
    for _ in range(2 * MOST_PASSES):
        run(depths, model, backward=False)
    depths.begins(model, torch.randn(12, 4))
    assert not hooked(model)


def test_the_deepest_of_several_models() -> None:
    depths = Depths()
    shallow, deep = nn.Linear(4, 1), nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
    for model in (shallow, deep):
        run(depths, model, backward=True)
    fact = depths.fact()
    assert fact is not None
    assert fact.layers == ("0", "2")
