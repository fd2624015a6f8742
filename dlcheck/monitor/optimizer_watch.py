"""One optimizer under watch: what its steps do, and whether they do anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlcheck.monitor.budget import TOGETHER, Schedule
from dlcheck.monitor.failure import looks_broken, outermost
from dlcheck.monitor.noise import FAR, GradientNoise
from dlcheck.monitor.parameters import layer_name, real, trained
from dlcheck.monitor.settings import Rates
from dlcheck.monitor.weights import Change, StepProbe, moved_too_far, total_norm
from dlcheck.runs.facts import StillLayer

if TYPE_CHECKING:
    from dlcheck.monitor.monitor import Monitor

STILL = 3
"""Sampled steps in a row without any change that make a weight stand still."""


@dataclass(slots=True)
class _Stillness:
    moved: bool = False
    still: int = 0
    last: Change | None = None


class OptimizerWatch:
    """Hears the beginning and the end of every step of one optimizer."""

    def __init__(self, monitor: Monitor, optimizer: torch.optim.Optimizer, *, main: bool) -> None:
        self.monitor, self.optimizer, self.main = monitor, optimizer, main
        self.count = monitor.step
        """Steps made; one that is built in the middle counts on from there."""
        self.latest = monitor.step
        """Where the training was at its last step."""
        self.rates = Rates(optimizer)
        self.weights: dict[str, _Stillness] = {}
        self._schedule = Schedule(monitor.step)
        self.due = self._schedule.due(self.count + 1, affordable=False)
        """The next step is to be looked at."""
        self._noise = GradientNoise(monitor.transfer)
        self._noise_wanted = False
        self._probe: StepProbe | None = None
        self._sentinels: list[Tensor] = []
        self._closure = False
        self._handles: list[Any] = []
        self.resume()

    def resume(self) -> None:
        """Hear of every step by hooks."""
        if not self._handles:
            hooks = (
                self.optimizer.register_step_pre_hook(self._begins),
                self.optimizer.register_step_post_hook(self._ends),
            )
            self._handles = [*hooks]

    def rest(self) -> None:
        """Take the hooks away: somebody else counts the steps, and tells of some by ``ended``."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def ended(self) -> None:
        """Take note of a step that was not heard."""
        self._guarded(self._after)

    @property
    def calm(self) -> int:
        """Steps that need not be told before one that must be."""
        return (TOGETHER - 2 - self.count) % TOGETHER

    def _begins(self, _: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self.monitor.resting:
            self._guarded(self._before, args, kwargs)

    def _ends(self, _: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.monitor.resting and self.calm:
            self.monitor.counted(self, 1)
        else:
            self._guarded(self._after)

    def _guarded(self, function: Any, *args: Any) -> None:
        self.monitor.guard("optimizer", function, *args)

    def _before(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        monitor = self.monitor
        if not monitor.awake:
            # What breaks anywhere on the way back breaks the gradient nearest to the input too.
            if self._sentinels and monitor.watches_gradients and _spoiled(self._sentinels[0]):
                monitor.gradient_failed()
            return
        monitor.phases.end("backward")
        self._closure = _has_closure(args, kwargs)
        if not self._sentinels:
            self._sentinels = outermost([p for p, _ in trained(self.optimizer)])
        if not self._closure and monitor.watches_gradients and looks_broken(self._sentinels):
            monitor.gradient_failed()
        if self.due:
            self._begin_probe()
        elif self._noise_wanted:
            self._compare_noise()
        monitor.phases.begin("optimizer")

    def _begin_probe(self) -> None:
        pairs = trained(self.optimizer)
        parameters = [p for p, _ in pairs]
        self._sentinels = outermost(parameters)
        if not parameters or not _roomy(parameters):
            return
        names = self.monitor.names.of(parameters)
        self._probe = StepProbe(names, parameters, [rate for _, rate in pairs])
        self._probe.before()
        if not self._closure:
            self._first_noise(self._probe.gradients())

    def _first_noise(self, gradients: list[Tensor]) -> None:
        wanted = self.main and self.monitor.only_one and not self.monitor.clipped_now
        self._noise_wanted = wanted and self._noise.first(gradients)

    def _compare_noise(self) -> None:
        self._noise_wanted = False
        samples = self.monitor.samples
        if self._closure or self.monitor.clipped_now or not samples:
            self._noise.forget()
            return
        gradients = [p.grad for p, _ in trained(self.optimizer) if p.grad is not None]
        self._noise.second(list(real(gradients)), samples)

    def _after(self) -> None:
        monitor = self.monitor
        self.count += 1
        self.latest = max(monitor.step, self.count)
        if not monitor.awake:
            if (self.count + 1) % TOGETHER == 0 and self.count > monitor.step:
                self.due = self._schedule.due(self.count + 1, monitor.budget.affordable)
            monitor.slept(self.count)
            return
        monitor.phases.end("optimizer")
        sampled, self._probe = self._probe, None
        if sampled is not None:
            if self._closure:
                sampled.gradients()
            self._schedule.last = self.count
            step, norm = monitor.step + 1, monitor.norm_now
            scale = getattr(self.optimizer, "grad_scale", None)
            factor = scale if isinstance(scale, Tensor) else 1.0
            sampled.after(monitor.transfer, factor, lambda changes: self._note(changes, step, norm))
        self.due = self._schedule.due(self.count + 1, monitor.budget.affordable)
        monitor.stepped(self, sampled=sampled is not None)

    def _note(self, changes: list[Change], step: int, norm: Tensor | float | None) -> None:
        norms = [one.gradient_norm for one in changes if one.gradient_norm is not None]
        if self.monitor.scaled and not all(map(math.isfinite, norms)):
            return  # the loss scaler skips this one
        if moved_too_far(changes, FAR):
            self._noise.forget()
        for change in changes:
            self._note_movement(change)
        # Where there are only vectors, these are the weights.
        weights = [one for one in changes if one.axes > 1] or changes
        for change in weights:
            self._write(change, step)
        if self.main:
            self._write_norms(total_norm(changes), step, norm)

    def _write(self, change: Change, step: int) -> None:
        layer, record = layer_name(change.name), self.monitor.record
        if change.gradient_norm is not None:
            record.layer(step, layer, "grad_norm", change.gradient_norm)
        record.layer(step, layer, "weight_norm", change.weight_norm)
        if change.weight_norm > 0 and change.gradient_norm is not None:
            record.layer(step, layer, "update_ratio", change.update_norm / change.weight_norm)

    def _write_norms(self, total: float | None, step: int, norm: Tensor | float | None) -> None:
        monitor = self.monitor
        if total is None:
            return
        if norm is None:
            monitor.scalar("grad_norm", total, step)
            return
        monitor.scalar("grad_norm_clipped", total, step)
        before = norm if isinstance(norm, Tensor) else torch.tensor(norm)
        monitor.transfer.read([before.detach()], lambda numbers: monitor.scalar("grad_norm", numbers[0], step))

    def _note_movement(self, change: Change) -> None:
        known = self.weights.setdefault(change.name, _Stillness())
        if change.largest_update != 0:
            known.moved, known.still = True, 0
        elif change.gradient_norm and math.isfinite(change.gradient_norm) and change.lr > 0:
            known.still += 1
            known.last = change

    def still(self) -> list[StillLayer]:
        """Return the weights that no sampled step has moved though it should have."""
        rows = [(name, one) for name, one in self.weights.items() if not one.moved and one.still >= STILL and one.last]
        return [
            StillLayer(layer_name(name), one.still, last.gradient_norm, last.lr, last.weight_norm)
            for name, one in rows
            if (last := one.last) is not None
        ]

    @property
    def noise(self) -> float | None:
        """Gradient noise scale in samples, where known."""
        return self._noise.noise

    def close(self) -> None:
        """Take all hooks away."""
        self.rest()


def _spoiled(parameter: Tensor) -> bool:
    """Return whether the gradient of a parameter is not finite; most of the time one operation tells that it is."""
    gradient = parameter.grad
    if gradient is None or gradient.layout is not torch.strided or math.isfinite(abs(gradient.sum().item())):
        return False
    return looks_broken([parameter])


def _has_closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return any(callable(one) for one in (*args, *kwargs.values()))


def _roomy(parameters: list[Tensor]) -> bool:
    """Return whether a device has room for copies of its weights: running out of it would end the training."""
    if parameters[0].device.type != "cuda":
        return True
    needed = 4 * sum(p.numel() * p.element_size() for p in parameters)
    return needed < torch.cuda.mem_get_info(parameters[0].device)[0]
