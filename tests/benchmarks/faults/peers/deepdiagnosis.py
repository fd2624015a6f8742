"""The rules of DeepDiagnosis, in our hands."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tests.benchmarks.faults.peers.rules import Rules
from tests.benchmarks.faults.peers.signals import Sample, mean_size, relus

DEAD = 0.7
SATURATED, SHARE = 5.0, 0.5
VANISHING = 1e-7
LOOKS, LONG = 5, 20
RANGE = 10.0
_BOUNDS: dict[type[nn.Module], tuple[float, float]] = {
    nn.Sigmoid: (0.0, 1.0),
    nn.Tanh: (-1.0, 1.0),
    nn.ReLU: (0.0, math.inf),
    nn.ELU: (-1.0, math.inf),
}


class DeepDiagnosis(Rules):
    """Our re-implementation of DeepDiagnosis' rules after its paper and published code, none of which is copied.

    Source: Wardat et al., "DeepDiagnosis: Automatically Diagnosing Faults and Recommending Actionable Fixes in Deep
    Learning Programs", ICSE 2022, and DeepDiagnosis/ICSE2022, callback/callbacks.py. Looked at after each epoch: mean
    of a layer's output, weight or gradient not finite or exactly 0; after the last epoch ≥ 70 % of a rectifier's
    values ≤ 0; every 5th epoch > 50 % of the inputs of sigmoid or tanh beyond ±5; output, weight or gradient mean,
    or the loss, exactly the same at 5 looks; loss not finite; accuracy 0, not finite, or the same at 20 looks;
    mean |gradient| < 1e-7; in the first epoch of a regression, targets outside the range of the last activation, or
    outputs that spread over 10 × the targets' range. Its first finding ends its training, so it tells one. It looks
    at the first batch of the data each time, we at the last sampled one, which makes "exactly the same" rarer. That
    its classifiers must end in a softmax does not hold in PyTorch and is left out. (The gradients of a layer under a
    softmax have a mean of 0 but for rounding, so that its rule "exactly 0" fires on a sound classifier now and then:
    its own doing.) All are warnings, what is not finite an error.
    """

    name = "deepdiagnosis-rules"
    every = 5

    def __init__(self) -> None:
        super().__init__()
        self._sample: Sample | None = None
        self._means: dict[tuple[str, str], list[float]] = {}

    def sampled(self, sample: Sample) -> None:
        """Keep the last sample."""
        self._sample = sample

    def row(self, epoch: int) -> None:
        """Look, unless something was told."""
        if self.told:
            return
        sample, self._sample = self._sample, None
        if sample is not None:
            self._forward(epoch, sample)
        self._metrics(epoch)
        if sample is not None:
            kinds = {"gradients": sample.gradients, "weights": sample.after}
            for kind, tensors in kinds.items():
                for name, one in reversed(sample.matrices(tensors).items()):
                    self._tensor(kind, name, one)

    def on_end(self) -> None:
        """A training that broke off is looked at once more."""
        if self.losses and not math.isfinite(self.losses[-1]):
            self._first("invalid loss", severity="error")

    def _first(self, code: str, layer: str | None = None, severity: str = "warning") -> None:
        if not self.told:
            self.tell(code, layer=layer, severity=severity)

    def _forward(self, epoch: int, sample: Sample) -> None:
        leaves = self.signals.leaves if self.signals is not None else {}
        names = [name for name in leaves if name in sample.outputs]
        for name in names:
            output = sample.outputs[name].float()
            if epoch == 1 and name == names[-1] and self.plan.data.task == "numbers":
                self._range(name, leaves[name], output)
            if not isinstance(leaves[name], nn.Flatten):
                self._tensor("outputs", name, output, steady=name != names[-1])
            if epoch == self.plan.epochs and name in relus(leaves) and float((output <= 0).float().mean()) >= DEAD:
                self._first("dead node", name)
            bent = isinstance(leaves[name], nn.Sigmoid | nn.Tanh) and name in sample.inputs
            if bent and epoch % LOOKS == 0 and float((sample.inputs[name].abs() >= SATURATED).float().mean()) > SHARE:
                self._first("saturated activation", name)

    def _range(self, name: str, layer: nn.Module, output: Tensor) -> None:
        target = self.plan.data.y
        low, high = _BOUNDS.get(type(layer), (-math.inf, math.inf))
        outside = float(target.min()) < low or float(target.max()) > high
        wide = float(output.max() - output.min()) > RANGE * float(target.max() - target.min())
        if outside or (wide and isinstance(layer, nn.Linear)):
            self._first("out of range", name)

    def _metrics(self, epoch: int) -> None:
        losses, accuracies = self.column("train_loss"), self.column("train_accuracy")
        if not math.isfinite(losses[-1]):
            self._first("invalid loss", severity="error")
        if epoch % LOOKS == 0 and len(set(losses[-LOOKS:])) == 1:
            self._first("loss not decreasing")
        if accuracies and (accuracies[-1] == 0 or not math.isfinite(accuracies[-1])):
            self._first("invalid accuracy")
        if accuracies and epoch % LONG == 0 and len(set(accuracies[-LONG:])) == 1:
            self._first("accuracy not increasing")

    def _tensor(self, kind: str, name: str, tensor: Tensor, steady: bool = True) -> None:
        mean = float(torch.mean(tensor))
        means = self._means.setdefault((kind, name), [])
        means.append(mean)
        if not math.isfinite(mean):
            self._first(f"numerical error in {kind}", name, severity="error")
        elif mean == 0:
            self._first(f"numerical error in {kind}", name)
        elif kind == "gradients" and mean_size(tensor) < VANISHING:
            self._first("vanishing gradient", name)
        elif steady and len(means) % LOOKS == 0 and len(set(means[-LOOKS:])) == 1:
            self._first(f"unchanged {kind}", name)
