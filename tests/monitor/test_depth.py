"""The spread over depth, seen in one pass."""

import copy

import pytest
import torch
from torch import Tensor, nn

from dlcheck.monitor.depth import DepthLook
from dlcheck.runs.facts import DepthSpread


def look(model: nn.Module, x: Tensor) -> DepthSpread:
    """Send a batch through a model forth and back under a look."""
    seen = DepthLook(model)
    seen.samples = len(x)
    seen.attach()
    output = model(x)
    seen.detach(output)
    before = seen.complete
    output.square().mean().backward()
    assert (before, seen.complete) == (False, True)
    fact = seen.fact(pretrained=False, prefix="net")
    assert fact is not None
    return fact


def chain(depth: int, scale: float, activation: nn.Module) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(16, 16), activation]
        nn.init.normal_(layers[-2].weight, std=scale / 4)  # type: ignore[arg-type]
        nn.init.zeros_(layers[-2].bias)  # type: ignore[arg-type]
    return nn.Sequential(*layers, nn.Linear(16, 2))


def test_outputs_and_gradients_of_each_layer() -> None:
    model = chain(2, 1.0, nn.Identity())
    x = torch.randn(64, 16)
    fact = look(model, x)
    assert fact.layers == ("net.0", "net.2", "net.4")
    assert fact.samples == 64
    assert fact.fan_in == (16, 16, 16)
    assert fact.activation_std[0] == pytest.approx(float(model[0](x).detach().std(correction=0)), rel=1e-5)
    output = model(x).detach()
    assert fact.gradient_norm[-1] == pytest.approx(float((2 * output / output.numel()).norm()), rel=1e-4)
    assert fact.beyond_bend == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("functional", [False, True], ids=["module", "function"])
def test_numbers_beyond_the_bend_of_a_tanh(functional: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.tanh, self.last = nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            return self.last(torch.tanh(x) if functional else self.tanh(x))  # type: ignore[no-any-return]

    model, x = Net(), torch.randn(200, 16)
    nn.init.normal_(model.first.weight, std=1.0)
    share = float((model.first(x).abs() > 3).float().mean())
    assert 0.2 < share < 0.8
    assert look(model, x).beyond_bend == pytest.approx((share, 0.0), abs=1e-6)


def test_a_gate_is_no_activation() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate, self.value = nn.Linear(16, 16), nn.Linear(16, 16)

        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(100 * self.gate(x)) * self.value(x)  # type: ignore[no-any-return]

    assert look(Gated(), torch.randn(32, 16)).beyond_bend == (0.0,)


def test_what_a_normalisation_follows_and_what_is_frozen() -> None:
    model = nn.Sequential(
        nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2)
    )
    assert look(model, torch.randn(32, 16)).normalized == (True, False, False)
    model[0].requires_grad_(False)
    model[1].requires_grad_(False)
    assert look(model, torch.randn(32, 16)).layers == ("net.3", "net.5")


def test_many_positions_are_no_vanishing_gradient() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 4)
    )
    for layer in (model[0], model[1], model[4]):
        nn.init.orthogonal_(layer.weight)  # type: ignore[arg-type]
    first, second, last = look(model, torch.randn(8, 1, 32, 32)).gradient_norm
    assert second == pytest.approx(last, rel=0.01)
    assert first == pytest.approx(second, rel=0.01)


def test_of_layers_side_by_side_the_one_with_the_largest_gradient_tells() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key, self.value, self.out = (nn.Linear(8, 8) for _ in range(4))
            self.unused = nn.Linear(8, 8)
            for layer in (self.query, self.key):
                nn.init.normal_(layer.weight, std=1e-3)

        def forward(self, x: Tensor) -> Tensor:
            self.unused(x)
            weights = (self.query(x) @ self.key(x).mT).softmax(-1)
            return self.out(x + weights @ self.value(x))  # type: ignore[no-any-return]

    fact = look(Attention(), torch.randn(4, 6, 8))
    assert fact.layers == ("net.value", "net.out")
    assert fact.gradient_norm[0] > 0.01 * fact.gradient_norm[1]


def test_nothing_is_changed_and_nothing_stays() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5), nn.Tanh(), nn.Linear(8, 2))
    twin, x = copy.deepcopy(model), torch.randn(16, 8)
    random = torch.get_rng_state()
    look(model, x)
    after = torch.get_rng_state()
    torch.set_rng_state(random)
    twin(x).square().mean().backward()
    assert torch.equal(after, torch.get_rng_state())
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.equal(ours.grad, theirs.grad)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_model_without_layers_says_nothing() -> None:
    seen = DepthLook(nn.ReLU())
    seen.attach()
    seen.detach(torch.zeros(3))
    assert seen.fact(pretrained=False) is None


def test_a_second_pass_through_a_freed_graph_raises_what_it_always_raises() -> None:
    model, state = nn.LSTM(4, 4), None
    seen = DepthLook(model)
    seen.attach()
    for turn in range(2):
        output, state = model(torch.randn(3, 2, 4), state)
        if not turn:
            seen.detach(output)
            output.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        output.sum().backward()
