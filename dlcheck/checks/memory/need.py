"""Bytes of a training step by cause, before it is made, and the largest batch that would fit."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from dlcheck.checks.memory.capacity import USABLE, capacity
from dlcheck.checks.memory.kernels import LARGEST, Call, needs
from dlcheck.checks.memory.ledger import Balance, line
from dlcheck.checks.memory.trace import CUDA_ROUNDING, Trace, imitated, real
from dlcheck.checks.memory.work import Work
from dlcheck.components.batches import Batch
from dlcheck.errors import one_line
from dlcheck.runs.facts import MemoryNeed, MemoryPart


def need(
    model: nn.Module,
    loss: Any,
    optimizer: torch.optim.Optimizer | Sequence[torch.optim.Optimizer],
    batch: Batch,
    *,
    device: torch.device | None = None,
) -> MemoryNeed:
    """Predict the memory of a plain training step: gradients freed, forward, backward, update.

    Args:
        model: In training mode; neither it nor the optimizer is touched.
        loss: Takes the model's output and the target.
        optimizer: One or several.
        batch: Inputs first, the target last.
        device: Where training will run; unset: where the batch lies. For ``cuda`` a model on the CPU will do, and no
            GPU is needed: its allocator's rounding and its optimizers' ways are taken into account, its kernels'
            inner buffers are not.
    """
    optimizers = (optimizer,) if isinstance(optimizer, torch.optim.Optimizer) else tuple(optimizer)
    return need_of(Work(model, loss, optimizers, batch[-1].device), batch, device=device)


def need_of(
    work: Work,
    batch: Batch,
    *,
    device: torch.device | None = None,
    room: int | None = None,
    deadline: float = math.inf,
) -> MemoryNeed:
    """Predict the memory of a step, as ``need`` does.

    Where the model's code does not run on tensors without values, two real steps are traced instead, in which weights
    and optimizer move (use ``checks.state.untouched``), and ``note`` says so.

    Args:
        work: What takes part in a step.
        batch: Of the size that is trained with.
        device: Where training will run.
        room: Bytes there; unset: what the device has.
        deadline: On the clock of ``time.monotonic``; what would end past it is guessed: the slope, then buffers
            inside kernels.
    """
    forecast = Forecast(work, batch, device or work.device, deadline)
    size = len(batch[-1])
    here = forecast.at(size)
    room = capacity(forecast.device) if room is None else room
    slope, largest = forecast.growth(here, room)
    return MemoryNeed(
        **here.parts,
        batch_size=size,
        total=here.total,
        per_sample=slope,
        capacity=room,
        largest_batch=largest,
        device=str(forecast.device),
        phase=here.phase,
        most=tuple(MemoryPart(cause, amount) for cause, amount in here.most.items()),
        note=forecast.note,
    )


@dataclass(slots=True)
class Forecast:
    """Balances of steps of any batch size."""

    work: Work
    batch: Batch
    device: torch.device
    deadline: float = math.inf
    note: str = ""
    _known: dict[Call, int] = field(default_factory=dict)
    _probes: list[tuple[int, list[int]]] = field(default_factory=list)
    """Sizes of batches, with the bytes inside each call."""
    _imitable: bool = False
    _longest_s: float = 0.0
    """That a trace took."""
    _traces: dict[int, Trace] = field(default_factory=dict)
    """Made to ask kernels, and to be used again."""

    def at(self, size: int) -> Balance:
        """Return the balance of a step with so many samples."""
        trace = self._traces.pop(size, None) or self._trace(size)
        if not self._foreign and trace.calls and not self._probes:
            self._probe(trace)
        return trace.balanced(self._inside(trace), rounding=CUDA_ROUNDING if self.device.type == "cuda" else 1)

    @property
    def _foreign(self) -> bool:
        """Whether the device is not where the model lies: its kernels cannot be asked."""
        return self.device.type != self.work.device.type

    @property
    def _late(self) -> bool:
        """Whether another trace would end past the deadline."""
        return time.monotonic() + self._longest_s > self.deadline

    def _trace(self, size: int) -> Trace:
        began = time.monotonic()
        try:
            return self._traced(size)
        finally:
            self._longest_s = max(self._longest_s, time.monotonic() - began)

    def _traced(self, size: int) -> Trace:
        if not self.note:
            try:
                found = imitated(self.work, self.batch, size, foreach=self.device.type == "cuda")
            except Exception as error:  # the model's own code, which needs values, or cannot be copied
                if self._imitable:
                    raise  # this size is what it does not take; a real step would not do better
                self.note = f"a step was made, for it could not be imitated: {type(error).__name__}: {one_line(error)}"
                error.__traceback__ = None  # its frames hold tensors
            else:
                self._imitable = True
                return found
        times = -(-size // len(self.batch[-1]))
        return real(self.work, tuple(torch.cat([one] * times)[:size] for one in self.batch))

    def _probe(self, trace: Trace) -> None:
        """Ask kernels what they take, for two sizes of batches that are small enough to try."""
        widest = max(call.bytes for call, _ in trace.calls)
        size = trace.size if widest <= LARGEST else max(2, trace.size * LARGEST // widest)
        second = 2 * size if 2 * widest * size <= LARGEST * trace.size else max(2, size // 2)
        for one in (size, second):
            if one == trace.size:
                self._ask(trace)
            elif not self._probes or not self._late:
                with contextlib.suppress(Exception):  # the model's own, if it takes no batch of this size
                    self._traces[one] = self._trace(one)
                    self._ask(self._traces[one])

    def _ask(self, trace: Trace) -> None:
        fresh = [call for call, _ in trace.calls if call not in self._known]
        self._known |= needs(fresh, deadline=self.deadline)
        self._probes.append((trace.size, [self._known.get(call, 0) for call, _ in trace.calls]))

    def _inside(self, trace: Trace) -> list[int]:
        """Return the bytes of each call: as asked, or on the line through two sizes that were."""
        known = [self._known.get(call) for call, _ in trace.calls]
        if all(one is not None for one in known):
            return [one or 0 for one in known]
        if any(len(inside) != len(known) for _, inside in self._probes) or len(self._probes) < 2:
            return [one or 0 for one in known]
        (a, at_a), (b, at_b) = self._probes
        lines = [line((a, low), (b, high)) for low, high in zip(at_a, at_b, strict=True)]
        return [max(0, round(offset + slope * trace.size)) for offset, slope in lines]

    def growth(self, here: Balance, room: int | None) -> tuple[float, int | None]:
        """Return bytes a sample, and the largest batch that fits into ``USABLE`` of the room."""
        size = len(self.batch[-1])
        try:
            low, high = self._ends(size, here)
            if not self.note and not self._late:
                # The peak of a large batch may lie elsewhere in the step, and grow faster: look there.
                far = fitting(low, high, room)
                if far is not None and far > high[0]:
                    low, high = high, (far, self.at(far).total)
        except Exception as error:  # a model that takes this size only
            self.note = self.note or f"other sizes of a batch could not be tried: {one_line(error)}"
            error.__traceback__ = None
            low, high = guessed(size, here)
        return line(low, high)[1], fitting(low, high, room)

    def _ends(self, size: int, here: Balance) -> tuple[tuple[int, float], tuple[int, float]]:
        """Return two sizes and their peaks: this and the double, or half where a real step has to be made."""
        if self._late:
            return guessed(size, here)
        if self.note:
            half = max(2, size // 2)  # batch normalisation takes no single sample
            return ((half, self.at(half).total), (size, here.total)) if half < size else guessed(size, here)
        return (size, here.total), (2 * size, self.at(2 * size).total)


def guessed(size: int, here: Balance) -> tuple[tuple[int, float], tuple[int, float]]:
    """Return what two sizes would need if all activations, and nothing but them and the batch, grew."""
    grows = here.parts["activations"] + here.parts["batch"]
    return (0, here.total - grows), (max(size, 1), here.total)


def fitting(low: tuple[int, float], high: tuple[int, float], room: int | None) -> int | None:
    """Return the samples at which the line through two sizes and peaks reaches ``USABLE`` of the room."""
    offset, slope = line(low, high)
    if room is None or slope <= 0:
        return None
    return max(0, int((USABLE * room - offset) / slope))


def measured(found: MemoryNeed, peak: int | None) -> MemoryNeed:
    """Return a prediction with the peak that was measured."""
    return replace(found, measured_peak=peak)
