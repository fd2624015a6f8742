"""How schedules are stepped: how often, when, and what became of the rate."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from dlcheck.runs.facts import ScheduleCalls, Site
from dlcheck.watching.lambdas import Factor, horizon, pure
from dlcheck.watching.place import user_site

HORIZONS = ("total_steps", "T_max", "T_0", "total_iters")
"""Attributes in which PyTorch's schedules keep the number of steps they were made for."""
COLLAPSED = 0.01


@dataclass(slots=True)
class _State:
    kind: str
    site: Site | None
    before_optimizer: bool = False
    steps: int = 0
    metric_missing: bool = False
    rates: list[float] = field(default_factory=list)
    """After each step; every second one is dropped when there are many."""
    every: int = 1
    horizon: int | None = None
    horizon_name: str = ""
    factor: Factor | None = None
    """The function of the step that makes the rate, where it may be called."""
    optimizer: weakref.ref[Any] | None = None


class Schedules:
    """Follows every schedule that is made or stepped."""

    def __init__(self) -> None:
        self._states: weakref.WeakKeyDictionary[LRScheduler, _State] = weakref.WeakKeyDictionary()
        self._all: list[_State] = []
        """Those of schedules that are gone too, as they are when a script's main function has returned."""

    def made(self, scheduler: LRScheduler) -> None:
        """Take note of a schedule that was built, and may never be stepped."""
        self._state(scheduler)

    def _state(self, scheduler: LRScheduler) -> _State:
        state = self._states.get(scheduler)
        if state is None:
            state = self._states[scheduler] = _State(type(scheduler).__name__, user_site(5))
            self._all.append(state)
            state.optimizer = weakref.ref(scheduler.optimizer)
        return state

    def stepped(self, scheduler: LRScheduler, metric: bool, *, early: bool) -> None:
        """Take note of a step; ``early``: no optimizer had made one, and no loss scaler may have skipped it."""
        state = self._state(scheduler)
        if not state.steps:
            state.before_optimizer, state.site = early, user_site(4)
            state.horizon, state.horizon_name = _horizon(scheduler)
            state.factor = pure(next(iter(getattr(scheduler, "lr_lambdas", ())), None))
        state.steps += 1
        if state.steps % state.every == 0:
            state.rates.append(float(scheduler.optimizer.param_groups[0]["lr"]))
            if len(state.rates) >= 4096:
                state.rates, state.every = state.rates[1::2], state.every * 2

    def fact(
        self, steps: dict[int, int], *, epochs: int, batches: int | None, skipped: int, finished: bool
    ) -> ScheduleCalls | None:
        """Return what was seen of the schedule stepped most.

        Args:
            steps: Steps of each optimizer, by identity of its first parameter: trainers wrap the optimizer itself.
            epochs: Passes over the training data that were begun.
            batches: Optimizer steps in one of them, where known.
            skipped: Steps that a gradient scaler left out.
            finished: The script came to its own end.
        """
        if not self._all:
            return None
        state = max(self._all, key=lambda one: one.steps)
        optimizer = state.optimizer() if state.optimizer is not None else None
        own = steps.get(first_parameter(optimizer), 0)
        made = own or max(steps.values(), default=0)
        if finished and state.kind == "LambdaLR" and state.factor is not None:
            state.horizon, state.horizon_name = horizon(state.factor, made), "lr_lambda"
        return ScheduleCalls(
            scheduler=state.kind,
            scheduler_steps=state.steps,
            optimizer_steps=made,
            epochs=epochs,
            batches_per_epoch=batches,
            before_optimizer=state.before_optimizer,
            horizon=state.horizon,
            horizon_name=state.horizon_name,
            lr_first=state.rates[0] if state.rates else 0.0,
            lr_last=state.rates[-1] if state.rates else 0.0,
            lr_lowest=min(state.rates, default=0.0),
            lr_collapsed_at=_collapse(state.rates),
            skipped_by_scaler=skipped,
            replaced_optimizer=optimizer is not None and not own and any(steps.values()),
            finished=finished,
            site=state.site,
        )


def _horizon(scheduler: LRScheduler) -> tuple[int | None, str]:
    for name in HORIZONS:
        value = getattr(scheduler, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value, name
    milestones = getattr(scheduler, "milestones", None) or getattr(scheduler, "_milestones", None)
    if milestones:
        return int(max(milestones)), "milestones"
    return None, ""


def _collapse(rates: list[float]) -> float | None:
    """Return after which share of the steps the rate stayed below 1 % of its highest; None: it did not."""
    highest = max(rates, default=0.0)
    above = [at for at, rate in enumerate(rates) if rate >= COLLAPSED * highest]
    if not above or above[-1] == len(rates) - 1:
        return None
    return (above[-1] + 1) / len(rates)


def first_parameter(optimizer: Any) -> int:
    """Return the identity of an optimizer's first parameter; 0 where there is none."""
    groups = getattr(optimizer, "param_groups", None) or [{}]
    return next((id(one) for one in groups[0].get("params", ())), 0)
