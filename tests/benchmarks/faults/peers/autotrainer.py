"""The rules of AutoTrainer, in our hands."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor

from tests.benchmarks.faults.peers.rules import Rules, broken
from tests.benchmarks.faults.peers.signals import Sample, finite

RATIO, FIRST, EXPLODING = 1e-3, 1e-4, 70.0
ZEROS = 0.7
SWING, SWINGS = 0.03, 0.2
SLOW = 0.01
GATE = 0.6
HUGE_LOSS = 1e5
EVERY_EPOCHS, JUDGED_FROM = 3, 0.3


class AutoTrainer(Rules):
    """Our re-implementation of AutoTrainer's rules after its paper and published code, none of which is copied.

    Source: Zhang et al., "AUTOTRAINER: An Automatic DNN Training Problem Detection and Repair System", ICSE 2021, and
    shiningrain/AUTOTRAINER, utils/monitor.py. Looked at every 3rd epoch and the last. Explode: a non-finite loss,
    weight or gradient, or a validation loss ≥ 1e5. Then, from 30 % of the epochs on and only where accuracy is below
    the gate 0.6 or never rose by 0.01 in an epoch: dying ReLU (≥ 70 % of gradients are zero), exploding (first over
    last weight gradient norm > 70), vanishing (that ratio < 1e-3 and the first < 1e-4), slow convergence, of which
    the first that holds. Else oscillating: falls of ≥ 0.03 from a local maximum of training accuracy to a minimum,
    in number ≥ 0.2 × epochs. Its first finding ends its training, so it tells one. The gate is the paper's; the code
    has 0.7. Gradients are those of the last sampled batch; regression leaves it the first rule alone. All are
    warnings, explode an error.
    """

    name = "autotrainer-rules"
    every = 5

    def __init__(self) -> None:
        super().__init__()
        self._sample: Sample | None = None
        self._counts = {"relu": 0, "explode": 0, "vanish": 0}
        self._lost = False

    def sampled(self, sample: Sample) -> None:
        """Keep the last sample."""
        self._sample = sample

    def row(self, epoch: int) -> None:
        """Look, if it is time."""
        if self.told or not (epoch % EVERY_EPOCHS == 0 or epoch == self.plan.epochs):
            return
        self._read()
        if self._is_lost():
            self.tell("explode", "something is not finite, or the loss is huge", severity="error")
        elif epoch >= JUDGED_FROM * self.plan.epochs and self.column("train_accuracy"):
            self._judge(self.column("train_accuracy"), self.column("val_accuracy"))

    def on_end(self) -> None:
        """A training that broke off is looked at once more."""
        self._read()
        if not self.told and (self._is_lost() or broken(self.losses[-1:])):
            self.tell("explode", "something is not finite, or the loss is huge", severity="error")

    def _is_lost(self) -> bool:
        train, val = self.column("train_loss"), self.column("val_loss")
        return self._lost or broken(train) or broken(val) or bool(val and val[-1] >= HUGE_LOSS)

    def _read(self) -> None:
        sample, self._sample = self._sample, None
        if sample is None:
            return
        self._lost |= not all(finite(one) for one in (*sample.gradients.values(), *sample.after.values()))
        gradients = list(sample.gradients.values())
        norms = [float(one.norm()) for one in sample.matrices(sample.gradients).values()]
        if norms:
            ratio = norms[0] / norms[-1] if norms[-1] else float("inf") if norms[0] else 0.0
            self._counts["relu"] += _zeros(gradients) >= ZEROS
            self._counts["explode"] += ratio > EXPLODING
            self._counts["vanish"] += ratio < RATIO and norms[0] < FIRST

    def _judge(self, train: list[float], val: list[float]) -> None:
        low = max(train) < GATE or (bool(val) and max(val) < GATE)
        slow = all(_best_rise(one) < SLOW for one in (train, val) if one)
        if low or slow:
            code = next((name for name, count in self._counts.items() if count), "not_converge" if slow else "")
            if code:
                self.tell(code, "accuracy stays low or at rest")
        elif _swings(train) >= SWINGS * len(train):
            self.tell("unstable", "training accuracy swings")


def _zeros(gradients: list[Tensor]) -> float:
    size = sum(one.numel() for one in gradients)
    return sum(int((one == 0).sum()) for one in gradients) / size


def _best_rise(accuracies: list[float]) -> float:
    return max((after - before for before, after in pairwise(accuracies)), default=0.0)


def _swings(accuracies: list[float]) -> int:
    inner = list(zip(accuracies, accuracies[1:], accuracies[2:], strict=False))
    tops = [one for before, one, after in inner if one >= before and one >= after]
    bottoms = [one for before, one, after in inner if one <= before and one <= after]
    swings = sum(top - bottom >= SWING for top, bottom in zip(tops, bottoms, strict=False))
    return swings or -1
