"""Small trainings of many kinds that tell a monitor, if there is one, and return all that must stay the same."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from dlcheck.monitor.monitor import Monitor

STEPS = 6
Loop = Callable[[Monitor | None], list[Any]]
"""Trains, telling the monitor if there is one, and returns everything that must stay the same."""


def watched(monitor: Monitor | None, *models: nn.Module, optimizers: tuple[torch.optim.Optimizer, ...]) -> None:
    for place, model in enumerate(models):
        if monitor is not None:
            monitor.add_model(model, f"m{place}" if len(models) > 1 else "")
    for optimizer in optimizers:
        if monitor is not None:
            monitor.add_optimizer(optimizer)


def state(*models: nn.Module) -> list[Tensor]:
    return [value.clone() for model in models for value in model.state_dict().values()]


def descend(model: nn.Module, monitor: Monitor | None, loss_of: Callable[[nn.Module], Tensor], **how: Any) -> list[Any]:
    """Train a model plainly; ``how``: ``optimizer``, ``accumulate``, ``clip``."""
    optimizer = how.get("optimizer", lambda p: torch.optim.Adam(p, 0.01))(model.parameters())
    watched(monitor, model, optimizers=(optimizer,))
    seen: list[Any] = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        for _ in range(how.get("accumulate", 1)):
            loss = loss_of(model)
            if monitor is not None:
                monitor.loss(loss)
            loss.backward()  # type: ignore[no-untyped-call]
            if monitor is not None:
                monitor.backward_ended()
            seen.append(loss.detach().clone())
        if "clip" in how:
            norm = nn.utils.clip_grad_norm_(model.parameters(), how["clip"])
            if monitor is not None:
                monitor.clipped(norm, how["clip"])
        seen += [p.grad.clone() for p in model.parameters() if p.grad is not None and not p.grad.is_sparse]
        optimizer.step()
    return seen + state(model)


def mlp(monitor: Monitor | None) -> list[Any]:
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
    return descend(model, monitor, lambda m: functional.cross_entropy(m(torch.randn(8, 6)), torch.randint(3, (8,))))


class Cnn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(4 * 36, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.conv(x)))
        x = torch.sigmoid(functional.relu(x - 0.1)) * x
        result: Tensor = self.head(functional.dropout(x, 0.2, self.training).flatten(1))
        return result


def images(model: nn.Module) -> Tensor:
    return functional.cross_entropy(model(torch.randn(8, 1, 8, 8)), torch.randint(3, (8,)))


def cnn(monitor: Monitor | None) -> list[Any]:
    return descend(Cnn(), monitor, images, clip=0.5)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm, self.head = nn.Embedding(9, 8), nn.LSTM(8, 8, 2, dropout=0.2), nn.Linear(8, 9)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.lstm(self.embed(x))[0])
        return result


def words(model: nn.Module) -> Tensor:
    x = torch.randint(9, (5, 4))
    return functional.cross_entropy(model(x).flatten(0, 1), torch.randint(9, (20,)))


def lstm(monitor: Monitor | None) -> list[Any]:
    return descend(Recurrent(), monitor, words)


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
        self.embed, self.body, self.head = nn.Embedding(9, 8), nn.TransformerEncoder(layer, 2), nn.Linear(8, 9)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.head(self.body(self.embed(x)))
        return result


def transformer(monitor: Monitor | None) -> list[Any]:
    """Tied weights, and evaluations between, on the fast path that hooks would close."""
    model = Attending()
    seen = descend(model, monitor, words)
    model.eval()
    with torch.no_grad():
        return [*seen, model(torch.arange(9)[None])]


def bf16(monitor: Monitor | None) -> list[Any]:
    def loss(model: nn.Module) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return images(model)

    return descend(Cnn(), monitor, loss)


def accumulated(monitor: Monitor | None) -> list[Any]:
    return descend(Cnn(), monitor, images, accumulate=3, optimizer=lambda p: torch.optim.SGD(p, 0.1, momentum=0.9))


def gan(monitor: Monitor | None) -> list[Any]:
    maker, judge = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4)), nn.Sequential(nn.Linear(4, 8), nn.Tanh())
    judge.append(nn.Linear(8, 1))
    own, other = torch.optim.Adam(maker.parameters(), 0.01), torch.optim.Adam(judge.parameters(), 0.01)
    watched(monitor, maker, judge, optimizers=(own, other))
    seen: list[Any] = []
    for turn in range(2 * STEPS):
        fake = maker(torch.randn(8, 2))
        side = turn % 2 == 0
        answer = judge(fake.detach() if side else fake).mean()
        loss = answer - judge(torch.randn(8, 4)).mean() if side else -answer
        optimizer = other if side else own
        optimizer.zero_grad()
        if monitor is not None:
            monitor.loss(loss)
        loss.backward()
        optimizer.step()
        seen.append(loss.detach())
    return seen + state(maker, judge)


def lbfgs(monitor: Monitor | None) -> list[Any]:
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.LBFGS(model.parameters(), 0.5, max_iter=4)
    watched(monitor, model, optimizers=(optimizer,))
    x = torch.randn(16, 3)
    seen: list[Any] = []

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
        if monitor is not None:
            monitor.loss(loss)
        loss.backward()
        seen.append(loss.detach())
        result: Tensor = loss
        return result

    for _ in range(STEPS):
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return seen + state(model)


def parametrized(monitor: Monitor | None) -> list[Any]:
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(6, 8)), nn.ReLU6(), nn.Linear(8, 3))
    model[2] = parametrizations.spectral_norm(model[2])
    return descend(model, monitor, lambda m: m(torch.randn(8, 6)).square().mean())


def compiled(monitor: Monitor | None) -> list[Any]:
    inner = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    model: Any = torch.compile(inner, backend="eager")
    return descend(model, monitor, lambda m: m(torch.randn(8, 6)).square().mean())


def compiled_in_place(monitor: Monitor | None) -> list[Any]:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    if monitor is not None:
        monitor.add_model(model)  # before it is compiled
    model.compile(backend="eager", fullgraph=True)
    return descend(model, monitor, lambda m: m(torch.randn(8, 6)).square().mean())


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.first, self.last, self.reentrant = nn.Linear(6, 8), nn.Linear(8, 3), reentrant
        self.body = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.2))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.last(checkpoint(self.body, self.first(x), use_reentrant=self.reentrant))
        return result


def checkpointed(monitor: Monitor | None) -> list[Any]:
    return descend(Checkpointed(False), monitor, lambda m: m(torch.randn(8, 6)).square().mean())


def checkpointed_reentrant(monitor: Monitor | None) -> list[Any]:
    return descend(Checkpointed(True), monitor, lambda m: m(torch.randn(8, 6)).square().mean())


def averaged(monitor: Monitor | None) -> list[Any]:
    """A copy of the hooked model follows it."""
    model = Cnn()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    watched(monitor, model, optimizers=(optimizer,))
    ema = copy.deepcopy(model)
    seen = []
    for _ in range(STEPS):
        loss = images(model)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seen.append(images(ema).detach())
        with torch.no_grad():
            for slow, fast in zip(ema.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, 0.1)
    return seen + state(model, ema)


def parallel(monitor: Monitor | None) -> list[Any]:
    return descend(nn.DataParallel(Cnn()), monitor, images)


def sparse(monitor: Monitor | None) -> list[Any]:
    model = nn.Sequential(nn.Embedding(9, 4, sparse=True), nn.Flatten(), nn.Linear(8, 1))
    loss = lambda m: m(torch.randint(9, (8, 2))).square().mean()  # noqa: E731
    return descend(model, monitor, loss, optimizer=lambda p: torch.optim.SGD(p, 0.1))


class ComplexNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 3, dtype=torch.complex64))
        self.unused = nn.Parameter(torch.zeros(0))

    def forward(self, x: Tensor) -> Tensor:
        return (x.to(torch.complex64) @ self.weight).abs()


def complex_numbers(monitor: Monitor | None) -> list[Any]:
    return descend(ComplexNet(), monitor, lambda m: m(torch.randn(8, 6)).square().mean())


def scaled(monitor: Monitor | None) -> list[Any]:
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126, growth_interval=2)
    watched(monitor, model, optimizers=(optimizer,))
    if monitor is not None:
        monitor.add_scaler(scaler)
    seen: list[Any] = []
    for _ in range(4 * STEPS):
        optimizer.zero_grad()
        loss = 100 * model(torch.randn(8, 6)).square().mean()
        product = scaler.scale(loss)
        if monitor is not None:
            monitor.loss(product)
        product.backward()
        scaler.step(optimizer)
        scaler.update()
        seen += [loss.detach(), torch.tensor(scaler.get_scale())]
    return seen + state(model)


class Breaking(nn.Module):
    """Its loss is no number in the third pass."""

    passes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.calls = Cnn(), nn.Linear(3, 3), 0
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.passes += 1
        x = self.head(self.body(x))
        noise = random.random() + np.random.rand()
        return torch.log(x * 0) + noise if self.calls == 3 else x + noise


def replayed(monitor: Monitor | None) -> list[Any]:
    seen = descend(Breaking(), monitor, images)
    assert monitor is None or monitor.failure.told is not None
    return seen


class BreakingBackward(Breaking):
    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        x = self.head(self.body(x))
        return x + (x * 0).sqrt() if self.calls == 3 else x


def replayed_backward(monitor: Monitor | None) -> list[Any]:
    seen = descend(BreakingBackward(), monitor, images)
    assert monitor is None or monitor.failure.told is not None
    return seen


LOOPS: list[Loop] = [
    mlp,
    cnn,
    lstm,
    transformer,
    bf16,
    accumulated,
    gan,
    lbfgs,
    parametrized,
    compiled,
    compiled_in_place,
    checkpointed,
    checkpointed_reentrant,
    averaged,
    parallel,
    sparse,
    complex_numbers,
    scaled,
    replayed,
    replayed_backward,
]
