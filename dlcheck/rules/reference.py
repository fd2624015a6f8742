"""What a loss is compared with: a constant answer, an untrained network, the first values logged."""

import math
from dataclasses import dataclass

from dlcheck.runs import Run
from dlcheck.runs.signals import signal_curve

KNOWN = {
    "trivial_loss": "the best constant answer",
    "initial_loss": "its value before the first step",
    "expected_first_loss": "an untrained network",
}
"""Facts that say what a network without knowledge scores, the surest first, in words."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A loss to compare with, and where it comes from."""

    loss: float
    fact: str
    """The fact that told it, or ``first_batch_loss``."""

    @property
    def words(self) -> str:
        """What this loss is."""
        return KNOWN.get(self.fact, "its first value")


def reference(run: Run) -> Reference | None:
    """Return the loss of a network that knows nothing, None when neither a fact nor the log tells it."""
    for name in KNOWN:
        value = run.number(name)
        if value is not None and math.isfinite(value):
            return Reference(value, name)
    first = signal_curve(run, "batch_loss").finite
    if len(first) and first.steps[0] <= 1:
        return Reference(float(first.values[0]), "first_batch_loss")
    return None


def start_loss(run: Run, first: float) -> float:
    """Return where a loss began: the reference; without one the first value, or that of training if higher.

    The first mean over an epoch holds an epoch of progress already, or the spike of a bad start.
    """
    known = reference(run)
    if known is not None:
        return known.loss
    train = signal_curve(run, "train_loss").finite
    return max(first, float(train.values[0])) if len(train) else first
