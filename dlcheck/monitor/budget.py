"""Which steps to look at closely, so that looking costs no more than a share of the training's time."""

from __future__ import annotations

from dataclasses import dataclass

HOOK_S = 4e-6
"""What PyTorch itself takes to call a module's and an optimizer's hooks in one step; measured, not seen from within."""
DENSITY = 64
"""A new sample at the earliest when the steps have grown by 1/64, so that a long run keeps some hundred of them."""
PAUSE = 3.0
"""A step longer than this many usual ones is a pause (evaluation, a checkpoint) and earns as much as this many."""


@dataclass(slots=True)
class Schedule:
    """The steps of one optimizer that are looked at."""

    last: int = 0
    """The last one."""

    def due(self, step: int, affordable: bool) -> bool:
        """Return whether to look at a step: powers of two always, others as the budget allows."""
        if step & (step - 1) == 0:
            return True
        return affordable and step - self.last > self.last // DENSITY


class Budget:
    """An account: every step earns a share of its time, every look costs what it took."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.step_s = 0.0
        """Usual time of a step without the monitor's own work, in seconds."""
        self.sample_s = 0.0
        """What a look at a step takes."""
        self.total_s = 0.0
        """Time of all steps, the monitor's own work not counted."""
        self.own_s = 0.0
        """The monitor's own work."""

    def step(self, elapsed_s: float, own_s: float, sampled: bool) -> None:
        """Enter a step: its time from end to end, the monitor's share of that, and whether it was looked at."""
        net = max(elapsed_s - own_s, 0.0)
        if self.step_s:
            net = min(net, PAUSE * self.step_s)
        self.step_s = net if not self.step_s else 0.9 * self.step_s + 0.1 * net
        self.total_s += net
        self.own_s += own_s + HOOK_S
        if sampled:
            self.sample_s = own_s if not self.sample_s else 0.7 * self.sample_s + 0.3 * own_s

    @property
    def affordable(self) -> bool:
        """Whether another look fits into what was earned so far."""
        return self.own_s + self.sample_s <= self.share * self.total_s
