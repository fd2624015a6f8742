"""What one optimizer step does to the weights: gradients, norms and real changes, by fused operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcheck.monitor.parameters import real
from dlcheck.monitor.transfer import Transfer


@dataclass(frozen=True, slots=True)
class Change:
    """What a step did to one tensor."""

    name: str
    axes: int
    lr: float
    weight_norm: float
    """Before the step."""
    gradient_norm: float | None
    """None without a gradient, which is not the same as a gradient of zeros."""
    update_norm: float
    largest_update: float
    """Largest absolute change of a number in it: 0 only when every number stayed as it was."""


@dataclass(slots=True)
class StepProbe:
    """Measures tensors around one step; ``before``, ``gradients`` and ``after`` come in this order.

    The update is the real difference of the weights, whatever optimizer made it; its ratio |Δw|/|w| is about
    1e-3 in a healthy run (CS231n, neural-networks-3), measured 1e-4 to 1e-1 on healthy small networks.
    """

    names: list[str]
    parameters: list[Tensor]
    rates: list[float]
    _copies: list[Tensor] | None = None
    _norms: tuple[Tensor, ...] = ()
    _have: tuple[bool, ...] = ()

    @torch.no_grad()
    def before(self) -> None:
        """Copy the weights."""
        # One fused launch; clone has none.
        self._copies = list(torch._foreach_mul(list(real(self.parameters)), 1.0))

    @torch.no_grad()
    def gradients(self) -> list[Tensor]:
        """Measure the gradients, and return those that there are, as real numbers."""
        self._have = tuple(p.grad is not None for p in self.parameters)
        found = list(real([p.grad for p in self.parameters if p.grad is not None]))
        self._norms = _norms(found)
        return found

    @torch.no_grad()
    def after(self, transfer: Transfer, scale: Tensor | float, then: Callable[[list[Change]], None]) -> None:
        """Measure the change, and call ``then`` with it once the numbers are here.

        Args:
            transfer: Brings the numbers.
            scale: Factor that the gradients still carry (of a loss scaler).
            then: Gets one change for each tensor.
        """
        if self._copies is None:
            return
        copies, self._copies = self._copies, None
        differences = list(torch._foreach_sub(list(real(self.parameters)), copies))
        # The square of a tiny change underflows to zero: whether anything moved is told by the largest one.
        largest = torch._foreach_norm(differences, math.inf)
        rows = [*_norms(copies), *_norms(differences), *largest, *self._norms]
        if isinstance(scale, Tensor):
            rows.append(scale.detach().reshape(()).to(rows[0].dtype))
        transfer.read(rows, lambda numbers: then(self._changes(numbers, scale)))

    def _changes(self, numbers: list[float], scale: Tensor | float) -> list[Change]:
        factor = numbers.pop() if isinstance(scale, Tensor) else scale
        count = len(self.names)
        norms, updates, largest = (numbers[i * count : (i + 1) * count] for i in range(3))
        gradients = iter(numbers[3 * count :])
        return [
            Change(name, p.ndim, rate, norm, next(gradients) / factor if has else None, update, most)
            for name, p, rate, norm, update, most, has in zip(
                self.names, self.parameters, self.rates, norms, updates, largest, self._have, strict=True
            )
        ]


def _norms(tensors: list[Tensor]) -> tuple[Tensor, ...]:
    """Return L2 norms, in single precision at least: squares of half precision overflow."""
    if not tensors:
        return ()
    if all(one.dtype in (torch.float32, torch.float64) for one in tensors):
        return tuple(torch._foreach_norm(tensors))
    return tuple(torch._foreach_norm(tensors, 2, torch.float32))


def total_norm(changes: list[Change]) -> float | None:
    """Return the norm of the whole gradient; None when no tensor had one."""
    norms = [one.gradient_norm for one in changes if one.gradient_norm is not None]
    return math.hypot(*norms) if norms else None


def moved_too_far(changes: list[Change], limit: float) -> bool:
    """Return whether a step changed the weights as a whole by more than a share of them."""
    return math.hypot(*(one.update_norm for one in changes)) > limit * math.hypot(*(one.weight_norm for one in changes))
