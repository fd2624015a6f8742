"""Whether gradients are cleared between steps, told from one tensor of each optimizer without reading its numbers."""

from __future__ import annotations

import statistics
import weakref
from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dlcheck.runs.facts import GradientClearing, Site
from dlcheck.watching.models import parameters_of
from dlcheck.watching.place import user_site

LOOKS = 20
"""Times that a gradient which somebody wrote to is read, to see whether it was set to zero."""
MANY = 256


@dataclass(slots=True)
class _State:
    probe: Tensor | None = None
    steps: int = 0
    cleared: bool = True
    """Since the last step."""
    version: int = -1
    gradient: weakref.ref[Tensor] | None = None
    """The probe's gradient after the last step, and its version then."""
    uncleared: int = 0
    judged: int = 0
    cleared_by: str = ""
    backwards: int = 0
    counts: deque[int] = field(default_factory=lambda: deque(maxlen=MANY))
    first_norm: float | None = None
    last_norm: float | None = None
    site: Site | None = None
    looks: int = 0

    def remember(self) -> Tensor | None:
        """Take note of the probe's gradient as it is after a step, and return it."""
        gradient = None if self.probe is None else self.probe.grad
        self.gradient = None if gradient is None else weakref.ref(gradient)
        self.version = -1 if gradient is None else gradient._version
        self.backwards = 0
        return gradient


class Clearing:
    """Follows every optimizer from step to step."""

    def __init__(self) -> None:
        self._states: weakref.WeakKeyDictionary[torch.optim.Optimizer, _State] = weakref.WeakKeyDictionary()

    def zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        """Take note of a call of ``zero_grad``."""
        state = self._states.setdefault(optimizer, _State())
        state.cleared, state.cleared_by = True, "zero_grad"

    def backward(self) -> None:
        """Look, before a backward pass, whether gradients of the last step are still there."""
        for state in self._states.values():
            state.backwards += 1
            if not state.cleared:
                self._look(state)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """Count a step: before it, or after it where a closure computes the gradients inside."""
        state = self._states.setdefault(optimizer, _State())
        if state.probe is None or state.probe.grad is None:
            state.probe = _probe(optimizer)
        if state.steps and state.probe is not None and state.backwards:
            state.judged += 1
            state.counts.append(state.backwards)
            if not state.cleared:
                self._count(state)

    def stepped(self, optimizer: torch.optim.Optimizer) -> None:
        """Remember how the gradient stands after a step."""
        state = self._states.setdefault(optimizer, _State())
        state.steps += 1
        state.remember()
        state.cleared = False

    def pause(self) -> None:
        """Judge no step until ``resume``: what happens is not told."""
        for state in self._states.values():
            state.cleared, state.backwards = True, 0

    def resume(self) -> None:
        """Go on after a step; what every gradient looks like now is where the next one starts from."""
        for state in self._states.values():
            gradient = state.remember()
            state.cleared = gradient is None or not bool(gradient.any())

    def fact(self) -> GradientClearing | None:
        """Return what was seen of the optimizer that was cleared least; None before any second step."""
        states = [state for state in self._states.values() if state.judged]
        if not states:
            return None
        worst = max(states, key=lambda state: (state.uncleared / state.judged, state.judged))
        growth = worst.last_norm / worst.first_norm if worst.first_norm and worst.last_norm is not None else None
        return GradientClearing(
            steps=worst.judged,
            uncleared=worst.uncleared,
            backwards_per_step=float(statistics.median(worst.counts)),
            cleared_by=worst.cleared_by,
            shared_parameters=self._shared(),
            norm_growth=growth,
            site=worst.site,
        )

    def _look(self, state: _State) -> None:
        before = None if state.gradient is None else state.gradient()
        now = None if state.probe is None else state.probe.grad
        if now is None or now is not before:
            state.cleared, state.cleared_by = True, state.cleared_by or "grad = None"
        elif now._version != state.version:
            # Written to in place: zero_, a trainer's own way, or another loss. Reading it waits for the device.
            state.looks += now.device.type != "cpu"
            if state.looks > LOOKS or not bool(now.any()):
                state.cleared, state.cleared_by = True, state.cleared_by or "zero_"
            state.version = now._version

    def _count(self, state: _State) -> None:
        state.uncleared += 1
        state.site = state.site or user_site(4)
        if state.uncleared & (state.uncleared - 1) == 0 and state.probe is not None and state.probe.grad is not None:
            norm = float(state.probe.grad.norm())
            state.first_norm, state.last_norm = state.first_norm or norm, norm

    def _shared(self) -> bool:
        seen: set[int] = set()
        for optimizer in self._states:
            own = {id(parameter) for parameter in parameters_of(optimizer)}
            if seen & own:
                return True
            seen |= own
        return False


def _probe(optimizer: torch.optim.Optimizer) -> Tensor | None:
    """Return the last parameter that has a gradient, one near the output where there is always one."""
    found = [parameter for parameter in parameters_of(optimizer) if parameter.grad is not None]
    return found[-1] if found else None
