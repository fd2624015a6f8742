"""The rules of TheDeepChecker, in our hands."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from tests.benchmarks.faults.peers.rules import Rules, imbalance
from tests.benchmarks.faults.peers.signals import Sample, finite, mean_size, units
from tests.benchmarks.faults.plan import Plan

BALANCE = 0.5
INITIAL = 1.0
NEGATIVE, TINY, DEAD_WEIGHTS = 0.95, 1e-5, 0.95
WINDOW, GROWTH, SHRINKING, HUGE = 5, 2.0, 0.5, 1e8
VANISHING = 1e-6
UPDATES = (-4.0, -1.0)
PERCENTILE, UNITS = 0.95, 0.5
RHO = 0.85
STAGNATION = 0.05
CORRELATION = 0.5
PERIOD, START = 10, 10


class DeepChecker(Rules):
    """Our re-implementation of TheDeepChecker's properties after its paper and code, none of which is copied.

    Source: Ben Braiek and Khomh, "Testing Feedforward Neural Networks Training Programs", TOSEM 2023, and
    thedeepchecker/thedeepchecker, deep_checker/{checkers,hooks}.py; thresholds as its authors set them there and in
    their PyTorch port. Before: inputs (and a regression's targets) neither in [0, 1] or [−1, 1] nor standardised;
    labels' perplexity < half of the classes; constant weights. First loss off −ln(1/C) by 100 %. From step 10 on, at
    samples: anything not finite; > 95 % of weights negative or < 1e-5 in size; mean |w| > 1e8, or doubled 4 times in a
    row; mean |g| < 1e-6 or halved, > 1e8 or doubled 4 times in a row; log10 of mean |Δw|/|w| over ten samples outside
    [−4, −1], or no update; > 50 % of units with 95th percentile of |a| < 1e-5 (tanh and sigmoid: ρ > 0.85); outputs
    without variance at 5 samples. Rows: loss falls < 5 % in 4 epochs running below full accuracy; |correlation| of
    loss and accuracy < 0.5. The original trains on one batch until it is learnt, with samples at every step; we
    listen to the real training, so that its loss rules are applied to epochs. Its F-tests of initial weights, its
    zero biases and its range 0.5 to 2 of activations' spread are left out in its favour: they want He or Glorot
    initialisation and fire on any network in PyTorch's own. All are warnings, what is not finite an error.
    """

    name = "thedeepchecker-rules"
    every = 5

    def __init__(self) -> None:
        super().__init__()
        self._sizes: dict[str, list[float]] = {}
        self._updates: dict[str, list[float]] = {}
        self._flat = 0

    def before(self, plan: Plan) -> None:
        """Look at data and initial weights."""
        data = plan.data
        if data.x.is_floating_point() and not _normal(data.x):
            self.tell("features unnormalized")
        if data.task == "numbers" and not _normal(data.y):
            self.tell("targets unnormalized")
        if data.task in ("classes", "binary"):
            shares = imbalance(data.y) / data.y.numel()
            if float(torch.exp(-(shares * shares.log()).sum())) < BALANCE * len(shares):
                self.tell("unbalanced labels")
        for name, one in plan.model.named_parameters():
            if one.dim() > 1 and float(one.detach().var(unbiased=False)) <= 1e-16:
                self.tell("poor initialisation", "all weights are the same", layer=name)

    def each(self, step: int, loss: float) -> None:
        """Judge the first loss, and whether any is finite."""
        if not math.isfinite(loss):
            self.tell("loss not finite", severity="error")
        elif step == 1 and self.plan.data.task in ("classes", "tokens", "binary"):
            usual = math.log(max(self.plan.data.classes, 2))
            if abs(loss - usual) >= INITIAL * usual:
                self.tell("poor initial loss")

    def sampled(self, sample: Sample) -> None:
        """Judge tensors."""
        for name, one in sample.gradients.items():
            self._gradient(name, one, sample.step)
        for name, one in sample.after.items():
            self._weight(name, sample.before[name], one, sample.step)
        leaves = self.signals.leaves if self.signals is not None else {}
        for name, one in sample.outputs.items():
            if one.is_floating_point():
                self._activation(name, leaves[name], one, sample.step)
        self._outputs(sample)

    def _gradient(self, name: str, gradient: Tensor, step: int) -> None:
        if not finite(gradient):
            self.tell("gradient not finite", layer=name, severity="error")
            return
        size = mean_size(gradient)
        grown, shrunk = self._trend("gradient " + name, size)
        if step >= START and gradient.dim() > 1:
            if size < VANISHING or shrunk:
                self.tell("vanishing gradient", layer=name)
            elif size > HUGE or grown:
                self.tell("exploding gradient", layer=name)

    def _weight(self, name: str, before: Tensor, after: Tensor, step: int) -> None:
        if not finite(after):
            self.tell("weight not finite", layer=name, severity="error")
            return
        size = mean_size(after)
        grown, _ = self._trend("weight " + name, size)
        if step >= START and (size > HUGE or grown):
            self.tell("weights diverge", layer=name)
        if after.dim() < 2:
            return
        if step >= START and float((after < 0).float().mean()) > NEGATIVE:
            self.tell("negative weights", layer=name)
        if step >= START and float((after.abs() < TINY).float().mean()) > DEAD_WEIGHTS:
            self.tell("dead weights", layer=name)
        self._update(name, mean_size(before), mean_size(after - before))

    def _update(self, name: str, size: float, change: float) -> None:
        if not size:
            return
        ratios = self._updates.setdefault(name, [])
        ratios.append(math.log10(change / size) if change else 0.0)
        if len(ratios) < PERIOD:
            return
        mean = sum(ratios) / len(ratios)
        ratios.clear()
        if mean == 0:
            self.tell("untrained weights", layer=name)
        elif not UPDATES[0] <= mean <= UPDATES[1]:
            self.tell("fast updates" if mean > UPDATES[1] else "slow updates", f"10^{mean:.1f}", layer=name)

    def _activation(self, name: str, layer: nn.Module, output: Tensor, step: int) -> None:
        if not finite(output):
            self.tell("activation not finite", layer=name, severity="error")
        elif step >= START and isinstance(layer, nn.ReLU | nn.GELU | nn.ELU | nn.LeakyReLU | nn.SiLU):
            high = units(output).abs().float().quantile(PERCENTILE, dim=0)
            if float((high < TINY).float().mean()) > UNITS:
                self.tell("dead units", layer=name)
        elif step >= START and isinstance(layer, nn.Sigmoid | nn.Tanh):
            centred = units(output) if isinstance(layer, nn.Tanh) else 2 * units(output) - 1
            if float((_rho(centred) > RHO).float().mean()) > UNITS:
                self.tell("saturated units", layer=name)

    def _outputs(self, sample: Sample) -> None:
        last = list(sample.outputs.values())[-1:]
        flat = bool(last) and len(last[0]) > 1 and bool((last[0].float().var(0) == 0).all())
        self._flat = self._flat + 1 if flat else 0
        if self._flat >= WINDOW:
            self.tell("constant output")

    def _trend(self, key: str, size: float) -> tuple[bool, bool]:
        sizes = self._sizes.setdefault(key, [])
        sizes.append(size)
        pairs = list(pairwise(sizes[-WINDOW:]))
        if len(pairs) < WINDOW - 1:
            return False, False
        grown = all(after >= GROWTH * before > 0 for before, after in pairs)
        return grown, all(after <= SHRINKING * before for before, after in pairs)

    def row(self, epoch: int) -> None:
        """Judge the curve."""
        losses, accuracies = self.column("train_loss"), self.column("train_accuracy")
        pairs = list(pairwise(losses[-WINDOW:]))
        done = bool(accuracies) and accuracies[-1] >= 1.0
        if len(pairs) == WINDOW - 1 and not done and all(old - new < STAGNATION * abs(old) for old, new in pairs):
            self.tell("stagnated loss")
        if len(accuracies) > 2 and len(set(accuracies)) > 1:
            both = torch.corrcoef(torch.tensor([losses, accuracies], dtype=torch.float64))
            if abs(float(both[0, 1])) < CORRELATION:
                self.tell("loss does not represent accuracy")


def _normal(tensor: Tensor) -> bool:
    low, high = float(tensor.min()), float(tensor.max())
    if abs(high - 1) < 0.01 and min(abs(low), abs(low + 1)) < 0.01:
        return True
    columns = tensor.flatten(1).float() if tensor.dim() == 2 else tensor.float().reshape(-1, 1)
    return bool((columns.mean(0).abs() < 0.05).all() and ((columns.std(0) - 1).abs() < 0.05).all())


def _rho(output: Tensor) -> Tensor:
    """Return ρ of each column, for outputs in [−1, 1].

    Rakitianskaia and Engelbrecht, "Measuring saturation in neural networks", 2015: the mean over bins of a histogram of
    |mean of what the bin holds|, weighted by how much it holds. Where no bin lies across 0 that is the mean of |value|.
    """
    return output.abs().float().mean(0)
