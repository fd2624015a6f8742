"""A training batch once more without dropout, after the end."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dlcheck.monitor.monitor import Monitor
from dlcheck.monitor.record import Record
from dlcheck.watching.undropped import Undropped

X = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(32) % 3


class Net(nn.Module):
    def __init__(self, rate: float = 0.9, outputs: int = 3) -> None:
        super().__init__()
        self.body, self.norm, self.drop = nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Dropout(rate)
        self.head, self.passes = nn.Linear(16, outputs), 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return self.head(self.drop(self.norm(self.body(x))))  # type: ignore[no-any-return]


def noted(model: nn.Module, name: str, *, x: Tensor = X, answer: Any = None, **given: Any) -> Undropped:
    """Make one pass under a monitor, and note the loss of its output."""
    torch.manual_seed(0)
    monitor = Monitor(Record())
    monitor.add_model(model)
    output = model(x)
    kept = Undropped()
    kept.note(monitor.calls, name, {"input": output if answer is None else answer(output), **given})
    monitor.close()
    return kept


def test_classes() -> None:
    model = Net()
    kept = noted(model, "cross_entropy", target=LABELS)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random, passes = torch.get_rng_state(), model.passes
    found = kept.measure()
    assert torch.equal(random, torch.get_rng_state())
    assert model.passes == passes
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    model.drop.eval()
    expected = functional.cross_entropy(model(X), LABELS)
    assert found is not None
    assert found[0] == pytest.approx(float(expected.detach()), rel=1e-6)
    assert found[1] == pytest.approx(math.log(3))


def test_numbers_in_another_shape() -> None:
    target = torch.linspace(0, 4, 32)
    model = Net(outputs=1)
    found = noted(model, "mse_loss", answer=lambda output: output.squeeze(1), target=target).measure()
    assert found is not None
    model.drop.eval()
    assert found[0] == pytest.approx(float((model(X).squeeze(1) - target).square().mean().detach()), rel=1e-5)
    assert found[1] == pytest.approx(float(target.var(correction=0)))


def test_two_classes() -> None:
    found = noted(
        Net(outputs=1), "binary_cross_entropy_with_logits", answer=lambda x: x.view(-1), target=(LABELS > 0).float()
    ).measure()
    assert found is not None
    assert found[1] == pytest.approx(math.log(2))


def test_weights_of_classes_leave_a_constant_answer_open() -> None:
    found = noted(Net(), "cross_entropy", target=LABELS, weight=torch.ones(3)).measure()
    assert found is not None
    assert found[1] is None


@pytest.mark.parametrize(
    ("model", "given"),
    [
        pytest.param(Net(0.1), {}, id="a usual rate"),
        pytest.param(Net(), {"reduction": "sum"}, id="a sum"),
        pytest.param(Net(), {"answer": lambda output: output.log_softmax(1)}, id="not the model's answer"),
        pytest.param(Net(), {"answer": lambda output: output.T.contiguous().T}, id="another order"),
    ],
)
def test_what_is_not_kept(model: nn.Module, given: dict[str, Any]) -> None:
    assert noted(model, "cross_entropy", target=LABELS, **given).measure() is None


def test_a_batch_that_was_overwritten_since() -> None:
    x = X.clone()
    kept = noted(Net(), "cross_entropy", x=x, target=LABELS)
    assert kept.measure() is not None
    x.mul_(2)
    assert kept.measure() is None


def test_a_network_that_prints_prints_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    class Loud(Net):
        def forward(self, x: Tensor) -> Tensor:
            print("forward")
            return super().forward(x)

    kept = noted(Loud(), "cross_entropy", target=LABELS)
    assert capsys.readouterr().out == "forward\n"
    assert kept.measure() is not None
    assert capsys.readouterr().out == ""
