"""Loops of scripts under a meter, and what they are made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from dlcheck.profiling.loader_hooks import LoaderHooks
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.rows import StepRow
from dlcheck.profiling.settings import Mode, Subject, TrialSettings
from dlcheck.profiling.step_hooks import StepHooks
from dlcheck.watching.execute import Stopped
from tests.profiling.loaders import Numbers

PARTS = ("wait", "take", "copy", "forward", "backward", "optimizer", "inside", "outside")


class Watch:
    """A training loop under hooks; it ends after so many rows."""

    def __init__(self, mode: Mode = "whole", kept: int = 2) -> None:
        self.meter = Meter(self._rest)
        self.hooks = LoaderHooks(TrialSettings(Subject("script", "none.py"), mode=mode, kept=kept))
        self.hooks.meter = self.meter
        self.steps = StepHooks(self.meter)
        self.losses: list[Any] = []

    def __call__(self, training: Callable[[], None], rows: int = 1_000_000) -> list[StepRow]:
        self.meter.wanted, self.meter.active = rows, True
        self.hooks.install()
        self.steps.install()
        try:
            training()
        except Stopped:
            pass
        finally:
            self.steps.remove()
            self.hooks.remove()
        found, self.losses = self.meter.take()
        return found

    def _rest(self, meter: Meter) -> None:
        raise Stopped


def hooked() -> tuple[Any, ...]:
    everywhere = dict(torch.nn.modules.module._global_forward_pre_hooks)
    return everywhere, torch.autograd.backward, torch.autograd.grad, DataLoader.__iter__


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 2))


def loader(samples: int = 24, workers: int = 0) -> DataLoader[Any]:
    return DataLoader(Numbers(samples), batch_size=8, num_workers=workers)


def descend(loss: torch.Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]


def summed(row: StepRow) -> float:
    parts = [getattr(row, name) for name in PARTS]
    assert min(parts) >= -1e-6
    return float(sum(parts))


def plain(epochs: int = 2, gap: float = 0.0) -> tuple[Callable[[], None], list[float]]:
    """Return a plain training and the list to which it writes its losses."""
    losses: list[float] = []

    def training() -> None:
        network, batches, criterion = model(), loader(), nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for _ in range(epochs):
            for x, y in batches:
                optimizer.zero_grad()
                loss = criterion(network(x), y)
                if gap:
                    time.sleep(gap)
                loss.backward()
                optimizer.step()
                losses.append(loss.item())

    return training, losses
