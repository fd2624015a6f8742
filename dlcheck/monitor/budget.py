"""Which steps to look at, so that looking costs no more than a share of the training's time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

HOOK_S = 14e-6
"""What a step takes that is only counted, beyond what is entered here: the way through PyTorch's own hooks and our
wrappers, their code gone from the caches by then. Of a step of a millisecond 24 µs were measured, 10 entered."""
DENSITY = 64
"""A new sample at the earliest when the steps have grown by 1/64, so that a long run keeps some hundred of them."""
PAUSE = 3.0
"""A step longer than this many usual ones is a pause (evaluation, a checkpoint) and earns as much as this many."""
FIRST_STEPS = 64
"""Steps at the start that are all listened to: what goes wrong there goes wrong for good."""
ALLOWANCE_S = 0.1
"""Seconds beyond the share, once and for all: without them a run of a second would hardly be seen."""
SETTLING_S = 1.0
"""Seconds of training in which the first half of the allowance may be spent."""
SEEN = 0.5
"""Of the share, what may be spent on what is measured: caches that grow cold and wrappers around PyTorch are not."""
KEEPING = 0.4
"""Of the share, what may be spent on keeping of every step what a replay of it needs."""
USUAL_SHARE = 0.02
"""Share to which the allowance belongs; a smaller one lowers both."""
LEAST = 0.25
"""Of what is earned, the share for looking where listening alone takes the rest: in steps of a millisecond."""
TOGETHER = 64
"""Steps that are not listened to and are entered into the account as one; a power of two, as are close looks."""


class Attention(IntEnum):
    """What is done at a step."""

    RESTING = 0
    """It is counted, and its loss is seen to be finite."""
    THOROUGH = 1
    """All is kept, too, that it takes to make it again, and its gradient is seen to be finite."""
    LISTENING = 2
    """Everything that happens is told."""
    SAMPLED = 3
    """Layers, weights and gradients are measured."""


@dataclass(slots=True)
class Schedule:
    """The steps of one optimizer that are looked at closely."""

    last: int = 0
    """The last one."""

    def due(self, step: int, affordable: bool) -> bool:
        """Return whether to look at a step: powers of two always, others as the budget allows."""
        if step & (step - 1) == 0:
            return True
        return affordable and step - self.last > self.last // DENSITY


class Budget:
    """An account: every step earns a share of its time, and what is done at it costs what it took."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.step_s = 0.0
        """Usual time of a step without the monitor's own work, in seconds."""
        self.sample_s = 0.0
        """What a close look at a step takes, and listening to it and its neighbours."""
        self.total_s = 0.0
        """Time of all steps, the monitor's own work not counted."""
        self.resting_s = 0.0
        """The monitor's own work in steps that it does not listen to."""
        self.waking_s = 0.0
        """The monitor's own work in all others."""
        self.thorough_s = 0.0
        """What a step takes that is not listened to, and of which all is kept that a replay needs."""
        self._listening_s = 0.0

    @property
    def own_s(self) -> float:
        """The monitor's own work."""
        return self.resting_s + self.waking_s

    def step(self, elapsed_s: float, own_s: float, *, how: Attention, steps: int = 1) -> None:
        """Enter steps: their time from end to end, the monitor's share of that, and what was done at the last one."""
        net = max(elapsed_s - own_s, 0.0)
        most = PAUSE * self.step_s * steps
        if self.step_s and net > most:
            # What was done in a pause belongs to the pause.
            own_s *= most / net
            net = most
        self.step_s = _followed(self.step_s, net / steps)
        self.total_s += net
        if how is Attention.THOROUGH:
            self.thorough_s = _followed(self.thorough_s, own_s / steps)
        if how <= Attention.THOROUGH:
            self.resting_s += own_s + HOOK_S * steps
            return
        self.waking_s += own_s + HOOK_S * steps
        if how is Attention.SAMPLED:
            self.sample_s = _followed(self.sample_s, own_s + 2 * self._listening_s, weight=0.3)
        else:
            self._listening_s = _followed(self._listening_s, own_s)

    @property
    def short(self) -> bool:
        """Whether steps are so short that keeping what a replay of each needs takes too much of them."""
        return self.thorough_s > KEEPING * self.share * self.step_s

    @property
    def affordable(self) -> bool:
        """Whether another look fits into what was earned so far."""
        once = ALLOWANCE_S * self.total_s / (self.total_s + SETTLING_S) if self.total_s else 0.0
        earned = SEEN * self.share * self.total_s
        spare = max(earned - self.resting_s, LEAST * earned) + once * min(self.share / USUAL_SHARE, 1.0)
        return self.waking_s + self.sample_s <= spare


def _followed(usual: float, latest: float, weight: float = 0.1) -> float:
    """Return a usual value that follows the latest ones; the first stands for itself."""
    return (1 - weight) * usual + weight * latest if usual else latest
