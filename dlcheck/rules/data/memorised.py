"""Whether accuracies show a network that fits its training samples and knows nothing of others."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlcheck.rules.scores import ACCURACY, score
from dlcheck.rules.statistics import tail, wilson_interval
from dlcheck.runs import Run
from dlcheck.runs.facts import ClassBalance, LabelSignal, ValidationSize, fact

BEST_OF_MANY = 3.29
"""Normal quantile of 0.1 %: the best of many validations may be high by chance."""


@dataclass(frozen=True, slots=True)
class Accuracies:
    """Accuracy at the end of training, on both splits, against that of a constant answer."""

    name: str
    chance: float
    samples: int
    train: float
    val: float
    low: float
    high: float
    """Ends of the 95 % interval of the validation accuracy."""
    best_low: float
    """Lower end of the 99.9 % interval of the best validation accuracy."""
    points: int

    @property
    def informed(self) -> bool:
        """Whether some validation was better than chance beyond doubt."""
        return self.best_low > self.chance or self.low > self.chance

    def memorised(self, fit: float) -> bool:
        """Return whether training gained ``fit`` of what is left above chance, and validation nothing."""
        learned = self.train >= self.chance + fit * (1.0 - self.chance)
        return learned and self.train > self.high and not self.informed


def accuracies(run: Run) -> Accuracies | None:
    """Return the accuracies; None when the run lacks one, the validation samples, or what chance is."""
    val, train = score(run, "val"), score(run, "train_eval") or score(run, "train")
    samples, chance = _samples(run), _chance(run)
    if val is None or train is None or not samples or chance is None:
        return None
    if not all(found.bounded and ACCURACY.search(found.name.lower()) for found in (val, train)):
        return None
    end = float(np.median(tail(val.y, 0.3)))
    low, high = wilson_interval(end, samples)
    best_low = wilson_interval(float(val.level.max()), samples, BEST_OF_MANY)[0]
    last = float(np.median(tail(train.y, 0.2)))
    return Accuracies(val.name, chance, samples, last, end, low, high, best_low, len(val.y))


def _samples(run: Run) -> int:
    """Return the number of validation samples; 0 when it is not known."""
    sizes = run.facts.get("samples")
    count = sizes.get("val") if isinstance(sizes, Mapping) else None
    if isinstance(count, int) and count > 0:
        return count
    size = fact(run, ValidationSize)
    return max(0, size.samples) if size is not None else 0


def _chance(run: Run) -> float | None:
    """Return the accuracy of the best constant answer, by what is known of the classes."""
    signal = fact(run, LabelSignal)
    if signal is not None and signal.score == "accuracy" and 0 < signal.chance < 1:
        return signal.chance
    balance = fact(run, ClassBalance)
    counts = balance.actual or balance.counts if balance is not None else _counts(run)
    if len(counts) > 1 and sum(counts) > 0 and min(counts) >= 0:
        return max(counts) / sum(counts)
    outputs = run.number("outputs")
    return 1.0 / outputs if outputs is not None and 2 <= outputs < float("inf") else None


def _counts(run: Run) -> tuple[float, ...]:
    known = run.facts.get("class_counts")
    values = tuple(known.values()) if isinstance(known, Mapping) else known
    if not isinstance(values, list | tuple):
        return ()
    return tuple(float(value) for value in values if isinstance(value, int | float))
