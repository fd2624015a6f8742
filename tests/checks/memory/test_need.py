"""Predicted memory against the peak of real steps."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from dlcheck.checks.memory import Work, measured_peak, need, need_of
from dlcheck.checks.memory.ledger import CAUSES
from dlcheck.checks.memory.need import fitting
from dlcheck.runs.facts import MemoryNeed
from tests.checks.memory.models import MODELS, OPTIMIZERS, mlp, reading

TWELVE = [(model, kind) for model in ("mlp", "cnn", "resnet", "transformer") for kind in ("sgd", "momentum", "adam")]
MORE = [("mlp", "adam, all at once"), ("cnn", "adamw, fused"), ("lstm", "adam"), ("lstm", "sgd"), ("reading", "adam")]
QUICK = [case for case in TWELVE if case[0] in ("mlp", "cnn") or case == ("transformer", "adam")]
LOSS = nn.CrossEntropyLoss()


def both(model: str, kind: str) -> tuple[MemoryNeed, int]:
    """Return what is predicted, and the peak of real steps."""
    network, batch = MODELS[model]()
    optimizer = OPTIMIZERS[kind](network)
    found = need(network, LOSS, optimizer, batch)
    return found, measured_peak(Work(network, LOSS, (optimizer,), torch.device("cpu")), batch)


def check(found: MemoryNeed, peak: int) -> None:
    assert found.total == pytest.approx(peak, rel=0.02)
    assert found.total == sum(getattr(found, cause) for cause in CAUSES)
    most = {part.name: part.bytes for part in found.most}
    assert all(getattr(found, cause) <= most[cause] for cause in CAUSES)


@pytest.mark.parametrize(("model", "kind"), [*QUICK, *MORE])
def test_predicted_peak_is_the_measured_one(model: str, kind: str) -> None:
    check(*both(model, kind))


@pytest.mark.slow
@pytest.mark.parametrize(("model", "kind"), [case for case in TWELVE if case not in QUICK])
def test_predicted_peak_is_the_measured_one_for_larger_networks(model: str, kind: str) -> None:
    check(*both(model, kind))


@pytest.mark.parametrize(("kind", "copies"), [("sgd", 0), ("momentum", 1), ("adam", 2)])
def test_optimizer_keeps_its_copies(kind: str, copies: int) -> None:
    network, batch = mlp()
    found = need(network, LOSS, OPTIMIZERS[kind](network), batch)
    assert copies * found.parameters <= found.optimizer <= copies * found.parameters + 4 * 6
    assert next(part.bytes for part in found.most if part.name == "gradients") == found.parameters
    assert found.batch == 32 * (64 * 4 + 8)


def test_nothing_is_touched() -> None:
    network, batch = mlp()
    optimizer = OPTIMIZERS["adam"](network)
    before = copy.deepcopy(network.state_dict())
    need(network, LOSS, optimizer, batch)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not optimizer.state


def test_what_needs_values_is_traced_in_a_real_step_and_says_so() -> None:
    network, batch = reading()
    found = need(network, LOSS, OPTIMIZERS["sgd"](network), batch)
    assert "a step was made" in found.note
    network, batch = mlp()
    assert need(network, LOSS, OPTIMIZERS["sgd"](network), batch).note == ""


def test_loss_that_is_read_on_the_way_does_not_matter() -> None:
    def loss(output: Tensor, target: Tensor) -> Tensor:
        value: Tensor = LOSS(output, target)
        return value * 2 if value.item() > 100 else value

    network, batch = mlp()
    assert need(network, loss, OPTIMIZERS["sgd"](network), batch).note == ""


def test_frozen_and_unused_parameters_have_neither_gradient_nor_state() -> None:
    network, batch = mlp()
    assert isinstance(network, nn.Sequential)
    unused = nn.Linear(500, 500)
    network.add_module("unused", nn.Identity())
    network[-1].register_module("inner", unused)
    network[0].requires_grad_(False)
    trained = sum(p.numel() for layer in network[1:5] for p in layer.parameters()) * 4
    optimizer = torch.optim.Adam(network.parameters(), 0.001)
    found = need(network, LOSS, optimizer, batch)
    assert next(part.bytes for part in found.most if part.name == "gradients") == trained
    assert 2 * trained <= found.optimizer <= 2 * trained + 4 * 4
    assert found.total == pytest.approx(
        measured_peak(Work(network, LOSS, (optimizer,), torch.device("cpu")), batch), rel=0.02
    )


def test_largest_batch_fits_and_not_much_more() -> None:
    network, batch = mlp()
    optimizer = OPTIMIZERS["adam"](network)
    work, room = Work(network, LOSS, (optimizer,), torch.device("cpu")), 1 << 24
    found = need_of(work, batch, room=room)
    assert found.capacity == room
    largest = found.largest_batch
    assert largest is not None

    def total(size: int) -> int:
        return need(network, LOSS, optimizer, (torch.empty(size, 64), torch.zeros(size, dtype=torch.long))).total

    assert total(largest) <= 0.91 * room
    assert total(int(largest * 1.1)) > 0.91 * room


def test_past_the_deadline_the_peak_is_still_told() -> None:
    network, batch = MODELS["cnn"]()
    work = Work(network, LOSS, (OPTIMIZERS["adam"](network),), torch.device("cpu"))
    hurried, whole = need_of(work, batch, deadline=0.0), need_of(work, batch)
    assert hurried.activations == whole.activations
    assert hurried.total == pytest.approx(whole.total, rel=0.1)
    assert hurried.largest_batch is not None


def test_model_for_one_size_of_batch_only() -> None:
    class Fixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.shift = nn.Linear(64, 10), nn.Parameter(torch.zeros(32, 10))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.body(x) + self.shift
            return out

    network, (_, batch) = Fixed(), mlp()
    found = need(network, LOSS, OPTIMIZERS["sgd"](network), batch)
    assert "other sizes" in found.note
    assert found.total > found.parameters


@pytest.mark.skipif(torch.cuda.is_available(), reason="the model would be tried there")
def test_cuda_is_predicted_without_one() -> None:
    network, batch = mlp()
    found = need(network, LOSS, OPTIMIZERS["adam"](network), batch, device=torch.device("cuda"))
    assert all(getattr(found, cause) % 512 == 0 for cause in CAUSES)
    assert found.workspace == found.parameters  # on CUDA, Adam works on all parameters at once
    assert (found.capacity, found.largest_batch) == (None, None)


def test_line_to_the_room() -> None:
    assert fitting((10, 200.0), (20, 300.0), 1000) == 80  # 100 + 10 n = 900
    assert fitting((10, 200.0), (20, 300.0), None) is None
    assert fitting((10, 200.0), (20, 200.0), 1000) is None
    assert fitting((10, 2000.0), (20, 3000.0), 100) == 0


@pytest.mark.gpu
@pytest.mark.parametrize(("model", "kind"), TWELVE)
def test_predicted_peak_on_cuda(model: str, kind: str) -> None:
    network, batch = MODELS[model]()
    network.cuda()
    placed = tuple(tensor.cuda() for tensor in batch)
    optimizer = OPTIMIZERS[kind](network)
    found = need(network, LOSS, optimizer, placed)
    peak = measured_peak(Work(network, LOSS, (optimizer,), placed[0].device), placed)
    assert found.note == ""
    assert found.total == pytest.approx(peak, rel=0.1)
