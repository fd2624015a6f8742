"""Units that say nothing: counted exactly, over enough samples."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dlcheck.monitor.units import BEND, ENOUGH
from dlcheck.runs.facts import DeadUnits, QuietLayer, SaturatedUnits
from tests.monitor.loop import Loop, noise

Function = Callable[[Tensor], Tensor]


class Functional(nn.Module):
    """Two layers with an activation that is called as a function."""

    def __init__(self, function: Function, *, gate: bool = False) -> None:
        super().__init__()
        self.first, self.last, self.function, self.gate = nn.Linear(8, 6), nn.Linear(6, 3), function, gate

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        shut = self.function(hidden)
        return self.last(shut * x[:, :6] if self.gate else shut)  # type: ignore[no-any-return]


def trained(model: nn.Module, steps: int = 16, batch: int = ENOUGH) -> Loop:
    """Train with a rate that moves nothing far, on batches that are large enough to judge by."""
    return Loop(model, torch.optim.SGD(model.parameters(), lr=1e-6)).run(steps, noise(batch))


def only(rows: tuple[QuietLayer, ...]) -> QuietLayer:
    (row,) = rows
    return row


def fix(layer: nn.Module, bias: list[float], scale: float = 1.0) -> None:
    """Give a layer known biases, and scale its weights."""
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    assert layer.bias is not None
    with torch.no_grad():
        layer.bias.copy_(torch.tensor(bias))
        layer.weight.mul_(scale)


@pytest.mark.parametrize("module", [True, False], ids=["module", "function"])
def test_rectifiers_that_are_never_active(module: bool) -> None:
    biases = [-1e3, 0.0, -1e3, 1e3, 0.0, -1e3]
    if module:
        sequence = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
        fix(sequence[0], biases)
        found = trained(sequence)
        layer = "1"
    else:
        functional = Functional(torch.relu)
        fix(functional.first, biases)
        found = trained(functional)
        layer = "first"
    row = only(found.known(DeadUnits).layers)
    assert (row.layer, row.activation, row.units, row.quiet) == (layer, "relu", 6, 3)
    assert row.samples >= ENOUGH
    assert (row.gate, row.output, row.positions) == (False, False, False)
    assert found.fact(SaturatedUnits) is None
    rows = found.record.run().layers
    assert rows is not None
    told = rows[rows["statistic"] == "dead_fraction"]
    assert set(told["value"]) == {0.5}


def test_one_active_sample_is_life() -> None:
    model = nn.Sequential(nn.Linear(8, 2), nn.ReLU(), nn.Linear(2, 1))
    fix(model[0], [-5.0, -5.0], scale=0.0)
    with torch.no_grad():
        model[0].weight[0, 0] = 1.0  # type: ignore[operator]
    rare = torch.zeros(32, 8)
    rare[7, 0] = 6.0
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=0.0)).run(40, [rare] * 40)
    assert only(loop.known(DeadUnits).layers).quiet == 1


def test_channels_are_units_and_maps_are_positions() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    fix(model[0], [-1e3, 0.0, 0.0, 0.0])
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=1e-6)).run(24, [torch.randn(64, 1, 8, 8)] * 24)
    row = only(loop.known(DeadUnits).layers)
    assert (row.units, row.quiet, row.positions) == (4, 1, True)


def test_units_of_a_sequence_lie_along_its_last_axis() -> None:
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    fix(model[0], [-1e3, 0.0, 0.0, 0.0, 0.0, 0.0])
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=1e-6)).run(24, [torch.randn(64, 5, 8)] * 24)
    row = only(loop.known(DeadUnits).layers)
    assert (row.units, row.quiet, row.positions) == (6, 1, True)


@pytest.mark.parametrize(("activation", "module"), [("tanh", nn.Tanh()), ("sigmoid", nn.Sigmoid())])
def test_units_beyond_the_bend(activation: str, module: nn.Module) -> None:
    beyond = 2 * BEND[activation]
    for model in (nn.Sequential(nn.Linear(8, 6), module, nn.Linear(6, 3)), Functional(getattr(torch, activation))):
        first = model[0] if isinstance(model, nn.Sequential) else model.first
        fix(first, [beyond, -beyond, 0.0, 0.0, 0.0, 0.0], scale=0.01)
        found = trained(model)
        row = only(found.known(SaturatedUnits).layers)
        assert (row.activation, row.units, row.quiet, row.gate, row.output) == (activation, 6, 2, False, False)
        assert found.fact(DeadUnits) is None


def test_huge_weights_saturate_all() -> None:
    model = nn.Sequential(nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3))
    fix(model[0], [0.0] * 6, scale=1e4)
    assert only(trained(model).known(SaturatedUnits).layers).quiet == 6


def test_gates_and_outputs_are_marked() -> None:
    gated = Functional(torch.sigmoid, gate=True)
    fix(gated.first, [100.0] * 6)
    row = only(trained(gated).known(SaturatedUnits).layers)
    assert (row.gate, row.output) == (True, False)
    answer = nn.Sequential(nn.Linear(8, 1), nn.Sigmoid())
    fix(answer[0], [100.0])
    row = only(trained(answer).known(SaturatedUnits).layers)
    assert (row.gate, row.output, row.quiet) == (False, True, 1)


def test_too_few_samples_are_counted_at_the_end() -> None:
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    fix(model[0], [-1e3, 0.0, 0.0, 0.0, 0.0, 0.0])
    row = only(trained(model, 2, batch=32).known(DeadUnits).layers)
    assert row.quiet >= 1
    assert row.samples <= 64


def test_units_that_die_are_told_beside_how_they_began() -> None:
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))

    def kill(answer: Tensor, step: int) -> Tensor:
        if step == 33:
            fix(model[0], [-1e3] * 6)
        return answer.square().mean()

    # Every batch holds enough samples to judge by.
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=1e-6), kill)
    found = loop.run(80, [torch.randn(2 * ENOUGH, 8)] * 80).known(DeadUnits)
    assert only(found.first).quiet == 0
    assert only(found.layers).quiet == 6
    assert only(found.first).step < 33 < only(found.layers).step


def test_without_activations_there_is_no_fact() -> None:
    found = trained(nn.Sequential(nn.Linear(8, 6), nn.GELU(), nn.Linear(6, 3)))
    assert (found.fact(DeadUnits), found.fact(SaturatedUnits)) == (None, None)
