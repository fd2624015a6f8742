"""A training loop that tells a monitor what it does, as drivers do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn

from dlcheck.monitor.monitor import Monitor
from dlcheck.monitor.record import Record
from dlcheck.runs.facts import Fact, fact

F = TypeVar("F", bound=Fact)
FEW = 40
"""Steps that every schedule listens to from their beginning, in whatever it chooses to look at."""


def square(answer: Tensor, _: int) -> Tensor:
    return answer.square().mean()


def noise(batch: int = 32, features: int = 8) -> Iterator[Tensor]:
    """Yield batches without end."""
    while True:
        yield torch.randn(batch, features)


@dataclass
class Loop:
    """Trains a model under a monitor."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Callable[[Tensor, int], Tensor] = square
    """Gets the answer and the step, from 1."""
    before_step: Callable[[Monitor], None] = lambda monitor: None
    record: Record = field(default_factory=Record)

    def __post_init__(self) -> None:
        self.monitor = Monitor(self.record)
        self.monitor.add_model(self.model)
        self.monitor.add_optimizer(self.optimizer)

    def run(self, steps: int = FEW, batches: Iterable[Tensor] | None = None) -> Loop:
        """Train, and close the monitor."""
        for step, x in zip(range(1, steps + 1), noise() if batches is None else batches, strict=False):
            self.monitor.batch(x)
            self.optimizer.zero_grad()
            loss = self.loss(self.model(x), step)
            self.monitor.loss(loss)
            loss.backward()  # type: ignore[no-untyped-call]
            self.monitor.backward_ended()
            self.before_step(self.monitor)
            self.optimizer.step()
        self.monitor.close()
        failed = [event for event in self.record.run().events if event.kind == "monitor-failed"]
        assert failed == []
        return self

    def fact(self, kind: type[F]) -> F | None:
        return fact(self.record.run(), kind)

    def known(self, kind: type[F]) -> F:
        """Return a fact that must be there."""
        found = self.fact(kind)
        assert found is not None
        return found
