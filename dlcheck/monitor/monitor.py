"""Measures one training by hooks on its models and optimizers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.errors import one_line
from dlcheck.monitor.activations import Row
from dlcheck.monitor.budget import TOGETHER
from dlcheck.monitor.failure import Failure, largest_weight
from dlcheck.monitor.hook import Guard
from dlcheck.monitor.listening import Listening
from dlcheck.monitor.losses import Losses
from dlcheck.monitor.memory import GIB, MIB, Memory
from dlcheck.monitor.model_watch import ModelWatch, Passing
from dlcheck.monitor.modes import dropout_fact, merged_modes, merged_norms
from dlcheck.monitor.optimizer_watch import OptimizerWatch
from dlcheck.monitor.parameters import Names
from dlcheck.monitor.phases import DeviceClock, HostClock, Phases
from dlcheck.monitor.record import Record
from dlcheck.monitor.replay import Call
from dlcheck.monitor.replicas import ReplicaCheck, rank
from dlcheck.monitor.settings import Clippings, Scales, settings
from dlcheck.monitor.transfer import Transfer
from dlcheck.monitor.units import Units
from dlcheck.runs import Event
from dlcheck.runs.facts import Fact, WeightsMoving

MOST_ROWS = 20_000
"""Rows kept of what is measured in every step; beyond that every other step is left out, and so on."""


class Monitor(Listening):
    """Measures one training by hooks, within an overhead budget that it measures itself.

    Whatever is in training mode under ``torch.compile`` is seen from outside only: parameters and optimizer.
    """

    def __init__(self, record: Record, *, budget: float = 0.02, every_step: bool = True, start: int = 0) -> None:
        """Make a monitor.

        Args:
            record: Where rows and facts go.
            budget: Share of the training's time that it may take.
            every_step: Record loss and learning rate of every step; False where the driver does so itself.
            start: Steps made before, in a training that goes on.
        """
        super().__init__(record, budget, start)
        self.guard = Guard(self._failed)
        self.transfer, self.names = Transfer(), Names()
        self.units = Units(self.transfer, record.layer)
        self.phases = Phases(HostClock(), record.phase)
        self.failure = Failure(record.put)
        self.calls: list[Call] = []
        """Forward passes since the last step, the latest last."""
        self.samples = 0
        """Samples that these were given."""
        self.norm_now: Tensor | float | None = None
        """What clipping found in the step under way."""
        self.clipped_now = False
        self.passes: Callable[[], Passing | None] | None = None
        """Tells the forward pass under way; set by those who see it themselves, so that short steps need no hooks."""
        self._scales: Scales | None = None
        self._clippings = Clippings(self.transfer)
        self._losses = Losses(self.transfer, self._loss_seen)
        self._memory, self._replicas = Memory(), ReplicaCheck()
        self._every_step = every_step
        self._again: Callable[[], Tensor] | None = None
        self._value: float | None = None
        self._epoch: int | None = None
        self._last_norm: float | None = None
        self._rows = 0
        self._closed = False

    # ---- what is watched

    def add_model(self, model: nn.Module, name: str = "") -> None:
        """Watch a model; with several, ``name`` and a dot stand before the names of its layers."""
        self.guard("model", self._add_model, model, name)

    def _add_model(self, model: nn.Module, name: str) -> None:
        if rank():  # one process speaks for all; the others only leave checksums of their weights
            self._replicas.models.append((name, model))
            return
        watch = ModelWatch(self, model, name)
        self._models.append(watch)
        self.names.add(watch.model, name)
        self._replicas.models.append((name, model))
        if any(p.device.type == "cuda" for p in watch.model.parameters()):
            self.phases.clock = DeviceClock()

    def add_optimizer(
        self, optimizer: torch.optim.Optimizer, *, instead_of: torch.optim.Optimizer | None = None
    ) -> None:
        """Watch an optimizer's steps; several are allowed, or one takes the place of another."""
        self.guard("optimizer", self._add_optimizer, optimizer, instead_of)

    def _add_optimizer(self, optimizer: torch.optim.Optimizer, former: torch.optim.Optimizer | None) -> None:
        if rank():
            optimizer.register_step_post_hook(lambda *_: self.guard("replicas", self._replica_stepped))
            return
        for watch in [one for one in self._optimizers if one.optimizer is former]:
            watch.close()
            self._optimizers.remove(watch)
        self._optimizers.append(OptimizerWatch(self, optimizer, main=not self._optimizers))
        self.looking = self._due()

    def add_scaler(self, scaler: torch.amp.GradScaler) -> None:
        """Watch a gradient scaler."""
        self._scales = Scales(self.transfer, scaler)

    # ---- what a loop tells

    def batch(self, batch: object, wait_s: float | None = None) -> None:
        """Take note of a training batch, any nest of tensors, and how long the loop waited for it."""
        if wait_s is not None and self.awake:
            self.phases.waited(wait_s)

    def loss(self, loss: Tensor, *, again: Callable[[], Tensor] | None = None) -> None:
        """Take note of a loss just before its backward pass.

        Args:
            loss: One number, with its graph.
            again: Computes it anew from the same batch, for a replay; unset: the model's last pass is repeated.
        """
        if not self.failure.active and not self._closed:
            self.guard("loss", self._loss if self.awake or again is not None else self._overheard, loss, again)

    def _overheard(self, loss: Tensor, again: Callable[[], Tensor] | None) -> None:
        """Look whether a loss is finite, and do nothing else."""
        if not self._singular.wanted and self.overhear(loss) is not None:
            self._again = again
            return
        self._loss(loss, again)

    def overhear(self, loss: Tensor, *, mark: bool = False) -> float | None:
        """Return a loss that is finite and needs no further look; ``mark``: mark its graph in any case."""
        if self._scales is not None or self._every_step or not loss.is_cpu or loss.numel() != 1:
            return None
        value = loss.item()
        if not math.isfinite(value):
            return None
        self._backwards += 1
        self._value = value
        self._graphs.add(loss) if mark else self._graphs.passing(loss)
        return value

    @property
    def value(self) -> float | None:
        """The latest loss, as far as it is known: at once where it is computed on a CPU."""
        return self._value

    def _loss(self, loss: Tensor, again: Callable[[], Tensor] | None) -> None:
        self._backwards += 1
        self._again = again
        self._graphs.add(loss)
        scale = self._scales.tensor if self._scales is not None else None
        if self._scales is not None:
            self._scales.look(self.step)
        if self.watches_gradients and loss.grad_fn is not None and loss.device.type == "cpu":
            everywhere = self.looking or not self.step
            self._singular.look(loss, [call.span for call in self.calls] if everywhere else None)
        self._losses.add(loss, self.step + 1, scale)
        if self.awake:
            self.phases.begin("backward")

    def _loss_seen(self, value: float, step: int, loss: Tensor | None) -> None:
        self._value = value
        if not math.isfinite(value) and not self.failure.done:
            self._examine(value, step, loss)
        if self._every_step:
            self.scalar("batch_loss", value, step)

    def _examine(self, value: float, step: int, loss: Tensor | None) -> None:
        known = self._known(step)
        self._recall()
        if loss is not None:
            self.guard("replay", lambda: self.failure.loss(value, loss, self.calls, self._again, **known))
        if self.failure.told is None:
            self.failure.late(value, **known)

    def _recall(self) -> None:
        """Add the passes that were not listened to, so that they can be made again."""
        passing = self.passes() if self.passes is not None else None
        self.calls += [call for one in self._models if (call := one.latest(passing)) is not None]

    def _known(self, step: int) -> dict[str, Any]:
        return {
            "step": step,
            "largest_weight": largest_weight([one.model for one in self._models]),
            "gradient_norm_before": self._last_norm,
            "skipped_by_scaler": self.scaled,
        }

    def backward_ended(self) -> None:
        """Take note that a backward pass is over."""
        if self.awake and not self.failure.active:
            self.phases.end("backward")

    def clipped(self, norm: Tensor | float, limit: float) -> None:
        """Take note of what ``clip_grad_norm_`` returned."""
        if self.awake:
            self.guard("clipping", self._clipped, norm, limit)

    def _clipped(self, norm: Tensor | float, limit: float) -> None:
        self.norm_now = norm
        on_device = isinstance(norm, Tensor) and norm.device.type != "cpu"
        self.clipped_now = on_device or float(norm) > limit
        self._clippings.add(norm, limit)

    def epoch(self, epoch: int) -> None:
        """Take note of a new epoch, counted from 1."""
        self._epoch = epoch
        self.guard("graphs", self._graphs.epoch)

    def close(self) -> None:
        """Read what is left, remove all hooks and put the facts into the record."""
        if self._closed:
            return
        self._closed = True
        for close in [*(one.close for one in self._models), *(one.close for one in self._optimizers)]:
            self.guard("close", close)
        self.guard("close", self._read_rest)
        for fact in self._facts():
            if fact is not None:
                self.record.put(fact)

    def _read_rest(self) -> None:
        self._losses.read()
        self._clippings.read()
        if self._scales is not None:
            self._scales.look(self.step)
            self._scales.read()
        self.units.close(self.step)
        self.transfer.drain()
        self.phases.flush(self.step)

    def put_facts(self) -> None:
        """Put the facts as they stand now; for those who judge while it trains."""
        for fact in self._facts():
            if fact is not None:
                self.record.put(fact)

    def _facts(self) -> list[Fact | None]:
        modes = [one.modes for one in self._models]
        main = self._optimizers[0].optimizer if self._optimizers else None
        makers: list[Callable[[], Fact | None]] = [
            self.units.dead,
            self.units.saturated,
            self._moving,
            lambda: self._clippings.fact(main),
            lambda: settings([one.rates for one in self._optimizers], self.step) if main is not None else None,
            lambda: self._scales.fact(self.step) if self._scales is not None else None,
            self._graphs.fact,
            self._replicas.fact,
            lambda: dropout_fact(modes),
            lambda: merged_norms(modes),
            lambda: merged_modes(modes),
        ]
        return [self.guard(f"fact {place}", make) for place, make in enumerate(makers)]

    def _moving(self) -> WeightsMoving | None:
        if not self._optimizers:
            return None
        return WeightsMoving(
            steps=self.step,
            backwards=max(self._backwards, self.step),
            layers=sum(len(one.weights) for one in self._optimizers),
            still=tuple(row for one in self._optimizers for row in one.still()),
            skipped_by_scaler=self._scales.skipped if self._scales is not None else 0,
            optimizers=len(self._optimizers),
        )

    # ---- what models and optimizers tell

    @property
    def scaled(self) -> bool:
        """Whether a loss scaler is at work, which skips steps whose gradient is not finite."""
        return self._scales is not None and self._scales.tensor is not None

    @property
    def watches_gradients(self) -> bool:
        """Whether a gradient that is not finite would be news."""
        return not self.scaled and not self.failure.done

    @property
    def only_one(self) -> bool:
        """Whether there is one optimizer, so that all samples of a step belong to it."""
        return len(self._optimizers) == 1

    def passed(self, samples: int) -> None:
        """Take note of a forward pass that may train."""
        self.samples += samples

    def gradient_failed(self) -> None:
        """Examine the step under way: its gradient is not finite."""
        if self._value is not None and not math.isfinite(self._value):
            return
        known = self._known(self.step + 1)
        self._recall()
        how = {"singular": self._singular, **known}
        self.guard("replay", lambda: self.failure.gradient(self._value, self.calls, self._again, **how))
        if self.failure.told is None:
            self.failure.late(self._value, "gradient", **known)

    def layers(self, step: int, rows: list[Row]) -> None:
        """Add statistics of layers."""
        for layer, statistic, value in rows:
            self.record.layer(step, layer, statistic, value)

    def scalar(self, metric: str, value: float, step: int) -> None:
        """Add a value; of those of every step fewer and fewer are kept."""
        if metric == "grad_norm":
            self._last_norm = value
        elif metric == "batch_loss":
            self._rows += 1
            stride = 1 << max((self._rows // MOST_ROWS).bit_length() - 1, 0)
            if step % stride:
                return
        self.record.scalar(metric, value, step=step, epoch=self._epoch)

    def stepped(self, watch: OptimizerWatch, *, sampled: bool) -> None:
        """Take note that a step of an optimizer is over."""
        leads = watch.count > self.step
        self.step = max(self.step, watch.count)
        self._account(sampled=sampled)
        for model in self._models:
            model.step(self.step)
        self.phases.step(keep=not sampled)
        self.calls.clear()
        self._singular.clear()
        self.samples, self.norm_now, self.clipped_now, self._again = 0, None, False, None
        self.looking = self._due()
        if watch.rates.look() and watch.main and self._every_step and watch.rates.last:
            self.scalar("lr", watch.rates.last[0], self.step)
        self.transfer.poll()
        self.guard("replicas", self._replicas.step, self.step)
        if sampled:
            self._sampled(watch)
            self._until = max(self._until, self.step + 1)
        if leads:
            self.awake = self.looking or self.step < self._until
            self._settle()

    def slept(self, count: int) -> None:
        """Take note that a step is over that was not listened to, the ``count``-th of its optimizer."""
        leads, self.step = count > self.step, max(self.step, count)
        if self.calls:
            self.calls.clear()
            self._singular.clear()
        self._unentered += 1
        if not leads or (count + 1) % TOGETHER:
            return
        self._account(sampled=False)
        for model in self._models:
            model.step(self.step)
        self.samples, self._again = 0, None
        self.looking = self.awake = self._due()
        self._settle()

    def _replica_stepped(self) -> None:
        self.step += 1
        self._replicas.step(self.step)

    def _sampled(self, watch: OptimizerWatch) -> None:
        step = self.step
        self.phases.flush(step)
        self.units.judge(step)
        if (used := self._memory.now()) is not None:
            self._graphs.memory(step, used / MIB)
            self.scalar("memory_gib", self._memory.highest / GIB, step)
        if (noise := watch.noise) is not None:
            self.scalar("gradient_noise", noise, step)
        if self._scales is not None and self._scales.first is not None:
            self.scalar("loss_scale", self._scales.last, step)
        if len(watch.rates.last) > 1:
            for place, lr in enumerate(watch.rates.last):
                self.record.layer(step, f"group{place}", "lr", lr)

    def _failed(self, part: str, error: Exception) -> None:
        self.record.event(Event("monitor-failed", self.step, detail={"part": part, "error": one_line(error)}))
