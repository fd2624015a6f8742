"""What optimizers, clipping and loss scalers are set to, and what came of it."""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from dlcheck.monitor.transfer import Transfer
from dlcheck.runs.facts import Clipping, LossScale, OptimizerGroup, OptimizerSettings

RESCALING = {
    "adam",
    "adamw",
    "nadam",
    "radam",
    "adamax",
    "rmsprop",
    "adagrad",
    "adadelta",
    "rprop",
    "lion",
    "adafactor",
}
"""Optimizers whose step does not depend on the gradient's scale."""
EARLY = 200
"""Steps in which a loss scaler finds its scale (catalogue (c) 31)."""
READ_EVERY = 32
"""Steps between transfers from a device."""
MOST_KEPT = 20_000
"""Norms kept; beyond that every other one is dropped."""


def rate(group: dict[str, Any]) -> float | None:
    """Return a group's learning rate; None where reading it would wait for a device."""
    lr = group.get("lr")
    if isinstance(lr, Tensor):
        return float(lr) if lr.device.type == "cpu" else None
    return float(lr) if lr is not None else None


class Rates:
    """The learning rates of an optimizer's groups."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self.highest: list[float] = []
        self.last: list[float] = []

    def look(self) -> bool:
        """Read the rates; return whether any has changed since."""
        groups = self.optimizer.param_groups
        now = [value if (value := rate(group)) is not None else 0.0 for group in groups]
        if now == self.last:
            return False
        self.highest = [*map(max, self.highest, now), *now[len(self.highest) :]]
        self.last = now
        return True

    def groups(self) -> list[OptimizerGroup]:
        """Return the groups as they stand."""
        pairs = zip(self.optimizer.param_groups, self.highest, strict=False)
        return [_group(self.optimizer, group, highest) for group, highest in pairs]


def _group(optimizer: torch.optim.Optimizer, group: dict[str, Any], highest: float) -> OptimizerGroup:
    name = type(optimizer).__name__
    betas = group.get("betas") or (None, None)
    momentum = group.get("momentum", betas[0])
    decoupled = group.get("decoupled_weight_decay", "adamw" in name.lower() or name.lower() in ("lion", "adafactor"))
    parameters = [p for p in group["params"] if p.requires_grad]
    return OptimizerGroup(
        optimizer=name,
        lr=rate(group) or 0.0,
        lr_highest=highest,
        weight_decay=float(group.get("weight_decay") or 0.0),
        decoupled=bool(decoupled),
        momentum=None if momentum is None else float(momentum),
        beta2=float(betas[1]) if len(betas) > 1 and betas[1] is not None else None,
        eps=float(group["eps"]) if isinstance(group.get("eps"), int | float) else None,
        parameters=sum(p.numel() for p in parameters),
        maximize=bool(group.get("maximize", False)),
        norms_or_biases=sum(p.numel() for p in parameters if p.ndim <= 1),
    )


def settings(rates: list[Rates], steps: int) -> OptimizerSettings:
    """Return the fact on all optimizers."""
    held = [id(p) for one in rates for group in one.optimizer.param_groups for p in group["params"]]
    groups = tuple(group for one in rates for group in one.groups())
    return OptimizerSettings(groups, duplicates=len(held) - len(set(held)), steps=steps)


def rescales(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether an optimizer's step does not depend on the gradient's scale."""
    return type(optimizer).__name__.lower() in RESCALING


@dataclass(slots=True)
class _Late(ABC):
    """Numbers that a device still has, each with what it belongs to; they are asked for together."""

    transfer: Transfer
    _waiting: list[tuple[Tensor, float]] = field(default_factory=list, init=False)

    def read(self) -> None:
        """Ask the device for the numbers that it still has."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            marks = [mark for _, mark in waiting]
            self.transfer.read([number for number, _ in waiting], lambda numbers: self._note(numbers, marks))

    def _wait(self, number: Tensor, mark: float) -> None:
        self._waiting.append((number, mark))
        if len(self._waiting) >= READ_EVERY:
            self.read()

    @abstractmethod
    def _note(self, numbers: list[float], marks: Sequence[float]) -> None:
        """Take note of numbers that have come."""


@dataclass(slots=True)
class Clippings(_Late):
    """What calls of ``clip_grad_norm_`` saw."""

    calls: int = 0
    clipped: int = 0
    limit: float = 0.0
    norms: list[float] = field(default_factory=list)
    latest: float | None = None
    """Norm of the last call, as soon as it is known."""

    def add(self, norm: Tensor | float, limit: float) -> None:
        """Take note of a call."""
        self.calls += 1
        self.limit = limit
        if isinstance(norm, Tensor) and norm.device.type != "cpu":
            self._wait(norm.detach(), limit)
            return
        self._note([float(norm)], [limit])

    def _note(self, norms: list[float], limits: Sequence[float]) -> None:
        self.latest = norms[-1]
        self.clipped += sum(norm > limit for norm, limit in zip(norms, limits, strict=True))
        self.norms += norms
        if len(self.norms) > MOST_KEPT:
            del self.norms[::2]

    def fact(self, optimizer: torch.optim.Optimizer | None) -> Clipping | None:
        """Return the fact; None when nothing was clipped."""
        finite = sorted(norm for norm in self.norms if norm < float("inf"))
        if not self.calls or not finite:
            return None
        return Clipping(
            calls=self.calls,
            clipped=self.clipped,
            limit=self.limit,
            median_norm=statistics.median(finite),
            p90_norm=finite[min(int(0.9 * len(finite)), len(finite) - 1)],
            optimizer=type(optimizer).__name__ if optimizer is not None else "",
            rescales=optimizer is not None and rescales(optimizer),
        )


@dataclass(slots=True)
class Scales(_Late):
    """The factor of a gradient scaler over the steps: it falls exactly when a step was skipped."""

    scaler: torch.amp.GradScaler
    skipped: int = 0
    skipped_late: int = 0
    first: float | None = None
    last: float = 0.0
    lowest: float = float("inf")

    @property
    def tensor(self) -> Tensor | None:
        """The scale on its device; None before its first use."""
        scale = getattr(self.scaler, "_scale", None)
        return scale if isinstance(scale, Tensor) and self.scaler.is_enabled() else None

    def look(self, steps: int) -> None:
        """Read the scale, before every backward pass; ``steps`` were not skipped so far."""
        scale = self.tensor
        if scale is None:
            return
        if scale.device.type == "cpu":
            self._note([float(scale)], [steps])
            return
        self._wait(scale.detach().clone().reshape(()), steps)

    def _note(self, scales: list[float], steps: Sequence[float]) -> None:
        for scale, made in zip(scales, steps, strict=True):
            if self.first is None:
                self.first = self.last = scale
            if scale < self.last:
                self.skipped += 1
                self.skipped_late += made + self.skipped > EARLY
            self.last, self.lowest = scale, min(self.lowest, scale)

    def fact(self, made: int) -> LossScale | None:
        """Return the fact after ``made`` steps that were not skipped; None when the scaler was never used."""
        if self.first is None:
            return None
        steps = made + self.skipped
        return LossScale(
            steps=steps,
            skipped=self.skipped,
            skipped_late=self.skipped_late,
            late_steps=max(steps - EARLY, 0),
            first=self.first,
            last=self.last,
            lowest=self.lowest,
        )
