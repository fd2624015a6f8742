"""What is done at steps that are not listened to: so little that it does not show in a step of a millisecond.

A function of Python that has left the processor's caches costs several microseconds, whatever it does. So these methods
call next to nothing, take no time and count in whole blocks; what they counted is told to the others by ``drain``.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlcheck.monitor.optimizer_watch import OptimizerWatch
from dlcheck.watching.models import Held, inner

if TYPE_CHECKING:
    from dlcheck.watching.beginnings import Beginnings
    from dlcheck.watching.calls import Calls

MARKED = 32
"""Losses for which one graph is marked."""


@dataclass(slots=True)
class Paused:
    """An optimizer whose steps are only counted."""

    optimizer: weakref.ref[torch.optim.Optimizer]
    held: Held
    watch: OptimizerWatch
    step: int
    """Steps of the training after its latest one."""
    left: int = 0
    """Steps that are still only counted; the one after these is entered into the account."""
    fresh: int = 0
    """Steps that the others do not know of."""


class Rest:
    """Counts steps, sees that losses are finite, and keeps what a replay of the step under way needs."""

    __slots__ = (
        "beginnings",
        "calls",
        "entries",
        "losses",
        "on",
        "passing",
        "roots",
        "rows",
        "step",
        "told",
        "unmarked",
    )

    def __init__(self) -> None:
        self.on = False
        """Nothing else is to be heard of a step; looked at by the taps before all else."""
        self.calls: Calls | None = None
        """Tells of modules that are called."""
        self.beginnings: Beginnings | None = None
        """Tells of what comes before a step of an optimizer."""
        self.step = 0
        """Steps of the training."""
        self.roots: dict[int, bool] = {}
        """Models, by identity; whether their passes draw random numbers."""
        self.entries: dict[int, Paused] = {}
        """Optimizers, by identity."""
        self.passing: tuple[nn.Module, tuple[Any, ...], dict[str, Any], Tensor | None] | None = None
        """The latest forward pass of the step under way: module, arguments and the generator's state before it."""
        self.losses: list[float] = []
        """Losses of the step under way."""
        self.rows: list[tuple[int, float, Any]] = []
        """Step, loss and learning rate of steps that are not yet written."""
        self.unmarked = self.told = 0
        """Losses since the one whose graph was marked last, and how many of these the others know of."""

    def begin(self, step: int, entries: Iterable[Paused], roots: Iterable[tuple[nn.Module, bool]]) -> None:
        """Rest from now on; ``roots`` are the models that train, and whether their passes draw random numbers."""
        self.on, self.step = True, step
        self.unmarked = self.told = MARKED - 1  # the first loss is marked
        self.entries = {id(optimizer): one for one in entries if (optimizer := one.optimizer()) is not None}
        models = [*roots]
        self.roots = {id(module): draws for module, draws in models}
        if self.calls is not None:
            self.calls.only(models[0][0]) if len(models) == 1 and _open(models[0][0]) else self.calls.all()
        if self.beginnings is not None:
            self.beginnings.lift()

    def end(self) -> None:
        """Rest no longer; ``losses`` and ``rows`` are left for the one who goes on."""
        if self.on and self.calls is not None:
            self.calls.all()
        if self.on and self.beginnings is not None:
            self.beginnings.install()
        self.on, self.passing = False, None
        self.entries, self.roots = {}, {}

    def begins(self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        """A module is called from outside of all modules; the model among these is the last one in a replay."""
        draws = self.roots.get(id(module))
        if draws is not None:
            self.passing = module, inputs, named, torch.get_rng_state() if draws else None

    def heard(self, loss: Any) -> bool:
        """Take note of the loss of a backward pass; return False where it must be looked at in full."""
        if self.unmarked >= MARKED - 1 or type(loss) is not Tensor or not loss.is_cpu or loss.numel() != 1:
            return False
        value = loss.item()
        if type(value) is not float or not math.isfinite(value):
            return False
        self.unmarked += 1
        self.losses.append(value)
        return True

    def ended(self, optimizer: torch.optim.Optimizer) -> bool:
        """Count a step; return False where more is to be done about it."""
        entry = self.entries.get(id(optimizer))
        if entry is None or not entry.left:
            return False
        entry.left -= 1
        entry.fresh += 1
        step = entry.step = entry.step + 1
        if step > self.step:
            self.step = step
        losses = self.losses
        if losses:
            rate = optimizer.param_groups[0].get("lr", math.nan)
            self.rows.append((self.step, losses[0] if len(losses) == 1 else sum(losses) / len(losses), rate))
            losses.clear()
        self.passing = None
        return True


def _open(module: nn.Module) -> bool:
    """Return whether hooks of a module are no part of what a compiler looks at."""
    return inner(module) is module and getattr(module, "_compiled_call_impl", None) is None
