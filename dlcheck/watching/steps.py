"""Listens to the steps of a script's training."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from dlcheck.monitor.budget import FIRST_STEPS
from dlcheck.runs import RunFolder
from dlcheck.watching.account import Account
from dlcheck.watching.attention import Attention
from dlcheck.watching.clearing import Clearing
from dlcheck.watching.clips import Clips
from dlcheck.watching.curves import Scaled
from dlcheck.watching.depths import Depths
from dlcheck.watching.listener import guarded
from dlcheck.watching.place import user_site
from dlcheck.watching.schedules import Schedules
from dlcheck.watching.sources import Sources

SURE = 32
"""Steps after which a single optimizer is taken to train the whole."""
TURNS = 3
"""Changes from one optimizer to another, each with a backward pass of its own, that make a game of several."""


class Steps(Attention):
    """Listens to optimizers, schedules, gradient scalers and clipping."""

    def __init__(self, folder: RunFolder, *, on_step: Callable[[Any], None] | None = None) -> None:
        super().__init__(folder)
        self._on_step = on_step
        self.account = Account()
        self.sources = Sources(self.account)
        self.clearing, self.schedules, self.scaled = Clearing(), Schedules(), Scaled()
        self.depths, self.clips = Depths(), Clips()
        self._turn: tuple[weakref.ref[Any] | None, int] = (None, 0)
        self._turns = 0
        self.made = 0
        self._limited: set[int] | None = None

    def limit(self, optimizers: list[torch.optim.Optimizer]) -> None:
        """Listen to these optimizers, and to backward passes in general, alone."""
        self._limited = {id(one) for one in optimizers}

    @property
    def epoch(self) -> int | None:
        """The pass over the training data that is under way, from 1; None where no loader tells."""
        train = self.sources.training
        return train.begun if train is not None and train.loader is not None else None

    @guarded
    def optimizer_made(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer has been built."""
        self.made += 1
        self.models.hold(optimizer, user_site(4))
        if self.rest.on:
            self._settle()  # it may stand where one stood that is gone

    @guarded
    def step_begins(self, optimizer: torch.optim.Optimizer, closure: bool) -> None:
        """An optimizer's step begins."""
        if self._limited is not None and id(optimizer) not in self._limited:
            return
        if optimizer not in self.models.optimizers:
            self.models.hold(optimizer, None)
        held = self.models.optimizers[optimizer]
        if not held.known:
            held.known, held.since = True, self.steps
            self.monitor.add_optimizer(optimizer)
        if not closure:
            self._before_step(optimizer)

    def _before_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.clearing.step(optimizer)
        steps = self.models.optimizers[optimizer].steps
        if steps & (steps + 1) == 0 or steps < 4:
            self.models.look_at_gradients()

    @guarded
    def step_ends(self, optimizer: torch.optim.Optimizer, closure: bool) -> None:
        """It has changed the weights."""
        if self._limited is not None and id(optimizer) not in self._limited:
            return
        held = self.models.optimizers.get(optimizer)
        if held is None or not held.known:  # a new one, whose first step began unheard
            self.monitor.wake(FIRST_STEPS)
            self._settle()
            return
        held.steps += 1
        if self.awake:
            self._heard(optimizer, closure)
        self.steps = max(self.steps, held.since + held.steps)
        self._note_loss(optimizer)
        if (self.awake, self.rest.on) != (self.monitor.awake, self.monitor.resting and not self._scalers):
            before = self.awake
            self._settle()
            if self.awake != before:
                self.clearing.resume() if self.awake else self.clearing.pause()
        if self._on_step is not None:
            self._on_step(self)

    @guarded
    def rested(self, optimizer: torch.optim.Optimizer) -> None:
        """A short step has ended that is entered into the account."""
        entry = self.rest.entries.get(id(optimizer))
        if entry is None or entry.optimizer() is not optimizer:
            self.step_ends(optimizer, closure=False)
            return
        entry.watch.ended()
        entry.held.steps += 1
        entry.left = 1
        self.rest.ended(optimizer)
        entry.fresh, entry.left = 0, entry.watch.calm
        self.steps = max(self.steps, self.rest.step)
        if not self.monitor.resting:
            self._settle()
            if self.awake:
                self.clearing.resume()
        if self._on_step is not None:
            self._on_step(self)

    def _heard(self, optimizer: torch.optim.Optimizer, closure: bool) -> None:
        """Take note of a step that was listened to from its beginning."""
        if closure:
            self._before_step(optimizer)
        self.clearing.stepped(optimizer)
        self.clips.stepped(self.backwards)
        if not self.steps:
            self.depths.stepped()
        self._take_turns(optimizer)
        self._epoch = self.epoch

    def _take_turns(self, optimizer: torch.optim.Optimizer) -> None:
        before, backwards = self._turn
        if before is not None and before() is not optimizer and before() is not None and self.backwards > backwards:
            self._turns += 1
        self._turn = weakref.ref(optimizer), self.backwards
        if self._turns >= TURNS and not self.curves.several:
            self.curves.by_turns()
            self.record.fact("several_losses", True)
        elif self.steps >= SURE and not self._turns:
            self.curves.one_loss()

    def _note_loss(self, optimizer: torch.optim.Optimizer) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        loss = pending[0] if len(pending) == 1 else _mean(pending)
        rate = optimizer.param_groups[0].get("lr", math.nan)
        lr = math.nan if isinstance(rate, Tensor) and rate.device.type != "cpu" else float(rate)
        self.curves.batch_loss(loss, step=self.steps, epoch=self._epoch, lr=lr)

    @guarded
    def gradients_cleared(self, optimizer: torch.optim.Optimizer) -> None:
        """``zero_grad`` was called."""
        self.clearing.zero_grad(optimizer)

    @guarded
    def schedule_made(self, scheduler: LRScheduler) -> None:
        """A schedule was built."""
        self.schedules.made(scheduler)

    @guarded
    def schedule_stepped(self, scheduler: LRScheduler, metric: bool) -> None:
        """A schedule was stepped."""
        self.schedules.stepped(scheduler, metric, early=not self.steps and not self._scalers)

    @guarded
    def loss_scaled(self, scaler: Any, loss: Any, scaled: Any) -> None:
        """A gradient scaler multiplied a loss."""
        self.scaled.note(loss, scaled)
        if scaler not in self._scalers:
            self._scalers.add(scaler)
            self.monitor.add_scaler(scaler)
            if self.rest.on:
                self._settle()

    @guarded
    def clipped(self, norm: Any, limit: float) -> None:
        """``clip_grad_norm_`` has returned this norm."""
        if self.awake:
            self.clips.called(self.backwards, self._scalers, site=self.clips.site or user_site(4))
        self.monitor.clipped(norm, float(limit))


def _mean(losses: list[Tensor | float]) -> Tensor | float:
    known = [one for one in losses if isinstance(one, float)]
    if len(known) == len(losses):
        return sum(known) / len(known)
    return torch.stack([torch.as_tensor(one).detach().reshape(()).float() for one in losses]).mean()
