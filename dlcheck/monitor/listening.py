"""What is watched of a training, and how closely."""

from __future__ import annotations

import time

import torch
from torch import nn

from dlcheck.monitor.budget import FIRST_STEPS, Attention, Budget
from dlcheck.monitor.graphs import Graphs
from dlcheck.monitor.hook import Guard
from dlcheck.monitor.model_watch import ModelWatch
from dlcheck.monitor.optimizer_watch import OptimizerWatch
from dlcheck.monitor.record import Record
from dlcheck.monitor.singular import Singular

IDLE = 64
"""Steps of others after which an optimizer counts as put away."""


class Listening:
    """The models and optimizers that are watched, and how closely a step is listened to, within a budget."""

    guard: Guard

    def __init__(self, record: Record, budget: float, start: int) -> None:
        self.record, self.budget = record, Budget(budget)
        self.step = start
        """Optimizer steps made so far: those of the optimizer that has made most."""
        self.looking = True
        """The step under way is looked at closely."""
        self.awake = True
        """All parts listen to the step under way; otherwise only whether its loss and gradient are finite is seen."""
        self._until = start + FIRST_STEPS
        """The last step to listen to, unless the budget allows for more."""
        self.thorough = True
        """Steps are long enough to keep, of every one, all that it takes to make it again, and to see its gradient."""
        self.resting = False
        """Nothing is done at the step under way but to count it, and to see whether its loss is finite."""
        self._models: list[ModelWatch] = []
        self._optimizers: list[OptimizerWatch] = []
        self._graphs, self._singular = Graphs(), Singular()
        self._backwards = 0
        self._ended: float | None = None
        self._own_before = 0.0
        self._unentered = 0
        """Steps since the last one that was entered into the account."""

    def _due(self) -> bool:
        """Return whether the next step of an optimizer is to be looked at; of one that no longer steps, none is."""
        return any(one.due for one in self._optimizers if self.step - one.latest <= IDLE)

    def wake(self, steps: int = 2) -> None:
        """Listen to the step under way and some more: something new has happened."""
        self.awake, self._until = True, max(self._until, self.step + steps)
        self._settle()

    def _settle(self) -> None:
        """Choose how closely to listen."""
        self.thorough = self._singular.wanted or not self.budget.short
        self.resting = not (self.awake or self.thorough)

    def unhook(self) -> None:
        """Take the hooks of models and optimizers away, for somebody who sees their calls and steps without them."""
        for rest in [*(one.rest for one in self._models), *(one.rest for one in self._optimizers)]:
            rest()

    def hook(self) -> None:
        """Put them back."""
        for resume in [*(one.resume for one in self._models), *(one.resume for one in self._optimizers)]:
            resume()

    def watch_of(self, optimizer: torch.optim.Optimizer) -> OptimizerWatch | None:
        """Return what watches an optimizer."""
        return next((one for one in self._optimizers if one.optimizer is optimizer), None)

    def draws(self, model: nn.Module) -> bool:
        """Return whether a model's passes draw random numbers, as far as is known."""
        return any(one.draws for one in self._models if one.model is model)

    def counted(self, watch: OptimizerWatch, steps: int) -> None:
        """Take note that an optimizer has made steps of which nothing more is wanted."""
        watch.count += steps
        self.step = max(self.step, watch.count)
        self._unentered += steps

    def unmarked(self, losses: int) -> None:
        """Take note of finite losses of steps of which nothing more is wanted."""
        self._backwards += losses
        self._graphs.skip(losses)

    def _account(self, *, sampled: bool) -> None:
        ended, spent = time.perf_counter(), self.guard.spent
        if self._ended is not None:
            own, steps = spent - self._own_before, self._unentered + self.awake
            how = Attention.LISTENING if self.awake else Attention.THOROUGH if self.thorough else Attention.RESTING
            self.budget.step(ended - self._ended, own, how=Attention.SAMPLED if sampled else how, steps=max(steps, 1))
        self._ended, self._own_before, self._unentered = ended, spent, 0
