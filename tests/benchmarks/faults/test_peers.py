"""Peers: our re-implementations fire on what they were made for, are silent else, and leave a training as it is."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.benchmarks.faults.peers import PEERS, Peer
from tests.benchmarks.faults.peers.peer import Peer as Base
from tests.benchmarks.faults.plan import Data, Plan

OURS = [name for name in PEERS if name.endswith("-rules")]
ORIGINALS = [name for name in PEERS if name not in OURS]
Change = Callable[[Plan], None]
STEPS = 10


def healthy() -> Plan:
    """Return a training that is fine by every system's own rules: smooth, of inputs within ±1, never above 0.95."""
    torch.manual_seed(1)
    x = torch.rand(400, 6) * 2 - 1
    x[0], x[1] = 1.0, -1.0
    y = (x @ torch.linspace(-1, 1, 6) + 0.5 * torch.randn(400) > 0).long()
    model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Dropout(0.0), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 2))
    data = Data("halves", x, y, x, y, "classes", 2)
    return Plan(data, model, nn.CrossEntropyLoss(), lambda given, lr: torch.optim.Adam(given, lr), lr=0.002, epochs=8)


def train(plan: Plan, peers: list[Peer]) -> list[Tensor]:
    """Train on all samples at once, so that no loss is noisy; return the weights."""
    optimizer = plan.optimizer(plan.parameters(plan.model), plan.lr)
    for group in optimizer.param_groups:
        group.update(plan.options)
    x, y = plan.data.x, plan.data.y
    for one in peers:
        one.begin(plan, optimizer)
    for epoch in range(1, plan.epochs + 1):
        for step in range(STEPS * epoch - STEPS + 1, STEPS * epoch + 1):
            optimizer.zero_grad()
            loss = plan.loss(plan.model(x), y)
            torch.autograd.backward(loss)
            for one in peers:
                one.backward(step, loss)
            optimizer.step()
            for one in peers:
                one.step(step, loss.detach())
        with torch.no_grad():
            output = copy.deepcopy(plan.model)(x)
            row = {"train_loss": float(plan.loss(output, y)), "val_loss": float(plan.loss(output, y)), "lr": plan.lr}
        if plan.data.task == "classes":
            row |= dict.fromkeys(("train_accuracy", "val_accuracy"), float((output.argmax(1) == y).float().mean()))
        for one in peers:
            one.epoch(epoch, row)
    for one in peers:
        one.end()
    return [one.detach().clone() for one in plan.model.parameters()]


def codes(name: str, change: Change = lambda plan: None) -> set[str]:
    plan = healthy()
    change(plan)
    peer = PEERS[name]()
    train(plan, [peer])
    assert peer.failed is None
    assert bool(peer.told) == (sum(one.primary for one in peer.told) == 1)
    return {one.code for one in peer.told}


@pytest.mark.parametrize("name", OURS)
def test_what_a_system_calls_fine_is_told_of_in_silence(name: str) -> None:
    assert codes(name) == set()


def _nan(plan: Plan) -> None:
    plan.loss = lambda output, y: nn.functional.cross_entropy(output, y) * float("nan")


def _huge_rate(plan: Plan) -> None:
    plan.lr = 1e30


def _vanishing(plan: Plan) -> None:
    layers: list[nn.Module] = [nn.Linear(6, 16)]
    for _ in range(12):
        layers += [nn.Sigmoid(), nn.Linear(16, 16)]
    plan.model = nn.Sequential(*layers, nn.Linear(16, 2))


def _exploding(plan: Plan) -> None:
    """Each layer multiplies gradients: the first weights' are far above the last ones'."""
    layers = [nn.Linear(6, 8), *(nn.Linear(8, 8) for _ in range(4))]
    with torch.no_grad():
        for layer in layers:
            layer.bias.zero_()
            layer.weight.copy_(torch.eye(*layer.weight.shape) * 30)
        layers[0].weight.mul_(1e-6)
    plan.model = nn.Sequential(*(part for layer in layers for part in (layer, nn.LeakyReLU())), nn.Linear(8, 2))
    plan.lr = 1e-9


def _growing(plan: Plan) -> None:
    """A loss that rises under its own steps: gradients double from look to look."""
    plan.model, plan.lr, plan.optimizer = nn.Linear(6, 2), 1.0, lambda given, lr: torch.optim.SGD(given, lr)
    plan.loss = lambda output, y: -(output**2).mean()


def _dead(plan: Plan) -> None:
    first = next(one for one in plan.model.modules() if isinstance(one, nn.Linear))
    nn.init.constant_(first.bias, -50.0)


def _resting(plan: Plan) -> None:
    plan.lr = 0.0


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("sagemaker-rules", _nan, "ExplodingTensor"),
        ("sagemaker-rules", _huge_rate, "ExplodingTensor"),
        ("sagemaker-rules", _vanishing, "VanishingGradient"),
        ("sagemaker-rules", _dead, "DeadRelu"),
        ("sagemaker-rules", _resting, "LossNotDecreasing"),
        ("sagemaker-rules", _resting, "UnchangedTensor"),
        ("autotrainer-rules", _nan, "explode"),
        ("autotrainer-rules", _huge_rate, "explode"),
        ("autotrainer-rules", _vanishing, "vanish"),
        ("autotrainer-rules", _exploding, "explode"),
        ("autotrainer-rules", _dead, "relu"),
        ("autotrainer-rules", _resting, "not_converge"),
        ("deepdiagnosis-rules", _nan, "numerical error in outputs"),
        ("deepdiagnosis-rules", _vanishing, "vanishing gradient"),
        ("deepdiagnosis-rules", _dead, "numerical error in outputs"),
        ("deepdiagnosis-rules", _resting, "unchanged outputs"),
        ("umlaut-rules", _nan, "nan in loss"),
        ("umlaut-rules", _huge_rate, "learning rate high"),
        ("umlaut-rules", _resting, "learning rate low"),
        ("thedeepchecker-rules", _nan, "loss not finite"),
        ("thedeepchecker-rules", _huge_rate, "weight not finite"),
        ("thedeepchecker-rules", _vanishing, "vanishing gradient"),
        ("thedeepchecker-rules", _growing, "exploding gradient"),
        ("thedeepchecker-rules", _dead, "dead units"),
        ("thedeepchecker-rules", _resting, "stagnated loss"),
        ("thedeepchecker-rules", _resting, "untrained weights"),
    ],
)
def test_a_system_finds_what_it_was_made_for(name: str, change: Change, code: str) -> None:
    assert code in codes(name, change)


@pytest.mark.parametrize("name", OURS)
def test_a_regression_has_no_accuracy_to_judge(name: str) -> None:
    def change(plan: Plan) -> None:
        plan.data.y = plan.data.x[:, :2] ** 2
        plan.data.task, plan.loss = "numbers", nn.MSELoss()

    assert not {one for one in codes(name, change) if "accuracy" in one or "finite" in one}


@pytest.mark.parametrize("name", PEERS)
def test_a_training_is_bit_for_bit_the_same_under_a_peer(name: str) -> None:
    def run(peers: list[Peer]) -> tuple[list[Tensor], Tensor]:
        plan = healthy()
        plan.epochs = 4
        plan.model = nn.Sequential(nn.Dropout(0.5), *plan.model)  # type: ignore[misc]
        return train(plan, peers), torch.get_rng_state()

    peer = PEERS[name]()
    if (reason := peer.available()) is not None:
        pytest.skip(reason)
    (alone, state), (watched, state_watched) = run([]), run([peer])
    assert peer.failed is None
    assert all(torch.equal(one, other) for one, other in zip(alone, watched, strict=True))
    assert torch.equal(state, state_watched)


@pytest.mark.parametrize("name", PEERS)
def test_no_hook_and_no_patch_is_left(name: str) -> None:
    peer, plan = PEERS[name](), healthy()
    if (reason := peer.available()) is not None:
        pytest.skip(reason)
    train(plan, [peer])
    for one in plan.model.modules():
        assert not one._forward_hooks
        assert not one._forward_pre_hooks
        assert not one._backward_hooks
        assert "forward" not in vars(one)


@pytest.mark.parametrize("name", OURS)
def test_hooks_go_when_a_training_breaks_off_within_a_forward_pass(name: str) -> None:
    plan, peer = healthy(), PEERS[name]()
    plan.model = nn.Sequential(plan.model, nn.Linear(7, 2))
    peer.begin(plan, plan.optimizer(plan.model.parameters(), 0.1))
    with pytest.raises(RuntimeError):
        plan.model(plan.data.x)
    peer.end()
    assert peer.failed is None
    assert not any(one._forward_hooks or one._forward_pre_hooks for one in plan.model.modules())


@pytest.mark.parametrize("name", ORIGINALS)
def test_an_original_tells_of_a_lost_training_where_it_is_installed(name: str) -> None:
    peer = PEERS[name]()
    if (reason := peer.available()) is not None:
        pytest.skip(reason)
    plan = healthy()
    _nan(plan)
    train(plan, [peer])
    assert peer.failed is None
    assert peer.told


def test_a_peer_that_is_absent_says_so_and_is_silent() -> None:
    class Absent(Base):
        package = "no_such_package_anywhere"

        def on_step(self, step: int, loss: Tensor) -> None:
            raise AssertionError("never asked")

    peer = Absent()
    train(healthy(), [peer])
    assert peer.failed is not None
    assert "no_such_package_anywhere" in peer.failed
    assert peer.told == []


def test_a_peer_that_fails_lets_the_training_go_on() -> None:
    class Failing(Base):
        def on_step(self, step: int, loss: Tensor) -> None:
            self.tell("early", severity="info")
            raise ZeroDivisionError("of its own making")

    peer = Failing()
    train(healthy(), [peer])
    assert peer.failed == "ZeroDivisionError: of its own making"
    assert [(one.code, one.step, one.primary) for one in peer.told] == [("early", 1, True)]


def test_the_first_step_and_the_worst_severity_are_kept() -> None:
    peer = Base()
    for step, severity in ((3, "info"), (9, "error"), (12, "warning")):
        peer.steps = step
        peer.tell("one", severity=severity)
    peer.tell("other")
    peer.end()
    assert [(one.code, one.step, one.severity, one.primary) for one in peer.told] == [
        ("one", 3, "error", True),
        ("other", 12, "warning", False),
    ]
