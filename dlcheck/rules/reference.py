"""What a loss is compared with: a constant answer, an untrained network, the first values logged."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dlcheck.rules.cache import per_run
from dlcheck.rules.course import LARGEST, TRAINING, course, signal_series
from dlcheck.runs import Run
from dlcheck.runs.facts import FirstLoss, fact

KNOWN = {
    "trivial_loss": "the best constant answer",
    "class_counts": "the entropy of the classes",
    "best_constant": "the best constant answer",
    "initial_loss": "its value before the first step",
    "expected_first_loss": "an untrained network",
}
"""Facts that say what a network without knowledge scores, the surest first, in words."""
CONSTANT = ("trivial_loss", "class_counts", "best_constant")
"""Those that are the loss of a constant answer."""

FIRST_BATCHES = 5
ALIKE = 1.5
"""A first loss up to this many times the expected one is the plain loss; penalties that are added to it would show."""


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

    @property
    def constant(self) -> bool:
        """Whether it is the loss of a constant answer."""
        return self.fact in CONSTANT


def reference(run: Run) -> Reference | None:
    """Return the loss of a network that knows nothing, None when neither a fact nor the log tells it."""
    for name in KNOWN:
        value = MEASURED[name](run) if name in MEASURED else run.number(name)
        if value is not None and math.isfinite(value):
            return Reference(value, name)
    first = _first_batch_loss(run)
    return None if first is None else Reference(first, "first_batch_loss")


@per_run
def _first_batch_loss(run: Run) -> float | None:
    """Return the loss of the first batch, or the middle one of the first five where that is higher.

    A single batch may be easy by chance. None when the log begins later.
    """
    curve = signal_series(run, "batch_loss")
    first = np.flatnonzero(np.isfinite(curve.values[:FIRST_BATCHES]))
    if not len(first) or not curve.steps[first[0]] <= 1:
        return None
    values = np.clip(curve.values[first], -LARGEST, LARGEST)
    return max(float(values[0]), float(np.median(values)))


def _entropy(run: Run) -> float | None:
    """Return the entropy of the class frequencies in nats, ln C for C even classes; None when not known.

    It is the cross-entropy of the best constant answer (Shannon 1948, Bell Syst. Tech. J. 27).
    """
    facts = run.facts.get("class_counts")
    values = list(facts.values()) if isinstance(facts, Mapping) else facts
    if not isinstance(values, list | tuple) or not all(isinstance(value, int | float) for value in values):
        return None
    counts = np.asarray(values, dtype=np.float64)
    counts = counts[counts > 0]
    if len(counts) < 2:
        return None
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _best_constant(run: Run) -> float | None:
    """Return the loss of the best constant answer as an exam or a monitor measured it, beside a first loss like it."""
    found = fact(run, FirstLoss)
    if found is None or found.pretrained or not found.expected / ALIKE <= found.loss <= found.expected * ALIKE:
        return None
    return found.best_constant


MEASURED: Mapping[str, Callable[[Run], float | None]] = {"class_counts": _entropy, "best_constant": _best_constant}
"""References that are computed from a fact; the others are one."""


def start_loss(run: Run, first: float) -> float:
    """Return where a loss began: the reference; without one the first value, or that of training if higher.

    The first mean over an epoch holds an epoch of progress already, or the spike of a bad start.
    """
    known = reference(run)
    if known is not None:
        return known.loss
    found = [item for name in TRAINING[:2] if (item := course(run, name)) is not None]
    return max([first, *(float(item.y[0]) for item in found[:1])])
