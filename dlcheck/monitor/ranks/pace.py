"""How long a rank works in a step before it waits for the others."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from dlcheck.monitor.phases import Clock, DeviceClock, HostClock
from dlcheck.runs.ranks import halved

FIRST_BLOCK = 4
"""Steps of a block at the beginning; their number doubles when there are too many blocks."""
MOST_BLOCKS = 32
MOST_LATE = 256
"""Steps that may wait for a device to tell their times; beyond that none is added."""


class Blocks:
    """Means over blocks of equally many steps, few however long a training lasts."""

    def __init__(self) -> None:
        self.size = FIRST_BLOCK
        self.own: tuple[float, ...] = ()
        self.period: tuple[float, ...] = ()
        self._sums = [0.0, 0.0]
        self._count = 0

    def add(self, own_s: float, period_s: float) -> None:
        """Add a step."""
        self._sums[0] += own_s
        self._sums[1] += period_s
        self._count += 1
        if self._count < self.size:
            return
        self.own += (self._sums[0] / self._count,)
        self.period += (self._sums[1] / self._count,)
        self._sums, self._count = [0.0, 0.0], 0
        if len(self.own) >= MOST_BLOCKS:
            self.own, self.period, self.size = halved(self.own), halved(self.period), 2 * self.size


class Pace:
    """Measures a rank's own time: from one step's reduced gradients to its own next gradient.

    Two marks a step. Gradients are averaged in the backward pass, so that all ranks begin an optimizer's step
    together; the gradient of the first parameter is the last that a rank computes before it waits for the others'.
    """

    def __init__(self) -> None:
        self.steps = 0
        """Optimizer steps of this rank."""
        self.blocks = Blocks()
        self._clock: Clock = HostClock()
        self._begun: Any = None
        self._ready: Any = None
        self._late: deque[tuple[Any, Any, Any]] = deque()
        self._handles: list[Any] = []
        self._followed = False

    def install(self) -> None:
        """Listen to optimizers."""
        self._handles.append(register_optimizer_step_pre_hook(self._begins))

    def remove(self) -> None:
        """Listen no more."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def follow(self, model: nn.Module) -> None:
        """Listen to the gradient of a model's first parameter; of several models to the first one's."""
        weight = next((one for one in model.parameters() if one.requires_grad and one.is_leaf), None)
        if self._followed or weight is None:
            return
        self._followed = True
        if weight.device.type == "cuda":
            self._clock, self._begun = DeviceClock(), None
        self._handles.append(weight.register_post_accumulate_grad_hook(self._computed))  # type: ignore[no-untyped-call]

    def _computed(self, weight: torch.Tensor) -> None:
        self._ready = self._clock.mark()

    def _begins(self, optimizer: torch.optim.Optimizer, args: Any, named: Any) -> None:
        self.steps += 1
        if not self._followed:
            return
        if self._ready is None:
            return  # another optimizer of the same step, or one whose model is not this one
        now = self._clock.mark()
        if self._begun is not None and len(self._late) < MOST_LATE:
            self._late.append((self._begun, self._ready, now))
            self._take()
        self._begun, self._ready = now, None

    def _take(self) -> None:
        """Add the steps whose times are known by now."""
        while self._late:
            begun, ready, ended = self._late[0]
            own, period = self._clock.between(begun, ready), self._clock.between(begun, ended)
            if own is None or period is None:
                return
            self._late.popleft()
            self.blocks.add(own, period)
