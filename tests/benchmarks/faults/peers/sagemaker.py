"""The built-in rules of SageMaker Debugger, in our hands."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tests.benchmarks.faults.peers.rules import Rules, broken, imbalance
from tests.benchmarks.faults.peers.signals import Sample, finite, mean_size, relus, units
from tests.benchmarks.faults.plan import Plan

VANISHING = 1e-7
UPDATE = (1e-8, 10.0)
INACTIVE, LAYER = 0.01, 0.5
SATURATED: dict[type[nn.Module], tuple[float, float]] = {nn.Tanh: (-9.4999, 9.4999), nn.Sigmoid: (-23.0, 16.99999)}
LOSS_STEPS, LOSS_PERCENT = 10, 0.1
OVERFIT = 0.1
PATIENCE_TRAIN, PATIENCE_VALIDATION, DELTA = 5, 10, 0.01
VARIANCES, SPREAD, INITIAL_STEPS, INITIAL_PATIENCE = 10.0, 1e-3, 10, 5
IMBALANCE = 10.0
UNCHANGED = 3


class SageMaker(Rules):
    """Our re-implementation of the SageMaker Debugger rules after their documentation, not Amazon's code.

    Source: docs.aws.amazon.com/sagemaker, "List of Debugger built-in rules", default parameters: VanishingGradient
    mean |g| < 1e-7; ExplodingTensor any non-finite; AllZero 100 % (on gradients; the rule wants tensors named);
    UnchangedTensor allclose over 3 looks (on weights); WeightUpdateRatio > 10 or < 1e-8; DeadRelu units active in
    < 1 %, > 50 % of a layer; SaturatedActivation tanh ±9.4999, sigmoid −23 and 16.99999, same shares;
    LossNotDecreasing 0.1 % every 10 steps, raw batches; Overfit (val − train)/train > 0.1 once; Overtraining delta
    0.01, 5 and 10 rows; ClassImbalance > 10; PoorWeightInitialization variance ratio > 10 between inputs of
    rectifiers, or gradient percentiles 5 to 95 < 0.001, in the first 10 steps with a loss at rest for 5 (that all must
    hold at once is our reading). TensorVariance is left out: it has no default tensors. Levels are ours: error for
    what is not finite, else warning.
    """

    name = "sagemaker-rules"
    every = 5

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, Tensor] = {}
        self._still: dict[str, int] = {}
        self._poor = ""

    def before(self, plan: Plan) -> None:
        """Count labels."""
        if plan.data.task in ("classes", "binary"):
            counts = imbalance(plan.data.y)
            if float(counts.max() / counts.min()) > IMBALANCE:
                self.tell("ClassImbalance", "one label is much more frequent than another")

    def each(self, step: int, loss: float) -> None:
        """Compare the loss with that of ten steps ago."""
        if not math.isfinite(loss):
            self.tell("ExplodingTensor", "the loss is not finite", severity="error")
        elif step > LOSS_STEPS and step % LOSS_STEPS == 1:
            earlier = self.losses[-1 - LOSS_STEPS]
            if earlier - loss < LOSS_PERCENT / 100 * abs(earlier):
                self.tell("LossNotDecreasing", "the loss fell by less than 0.1 % in 10 steps")
        if step == INITIAL_STEPS and self._poor:
            first, last = self.losses[:INITIAL_PATIENCE], self.losses[INITIAL_PATIENCE:]
            if broken(last) or min(last) >= min(first):
                self.tell("PoorWeightInitialization", self._poor)

    def sampled(self, sample: Sample) -> None:
        """Judge tensors."""
        for name, gradient in sample.gradients.items():
            self._gradient(name, gradient)
        for name, tensor in (*sample.outputs.items(), *sample.after.items()):
            if tensor.is_floating_point() and not finite(tensor):
                self.tell("ExplodingTensor", "not finite", layer=name, severity="error")
        for name, after in sample.after.items():
            if name.rpartition(".")[2].startswith("weight"):
                self._weight(name, sample.before[name], after)
        leaves = self.signals.leaves if self.signals is not None else {}
        for name in relus(leaves):
            if name in sample.outputs:
                idle = (units(sample.outputs[name]) > 0).float().mean(0) < INACTIVE
                if float(idle.float().mean()) > LAYER:
                    self.tell("DeadRelu", "more than half of the units are inactive", layer=name)
        self._saturated(leaves, sample)
        if sample.step <= INITIAL_STEPS:
            self._initial(relus(leaves), sample)

    def _gradient(self, name: str, gradient: Tensor) -> None:
        if not finite(gradient):
            self.tell("ExplodingTensor", "the gradient is not finite", layer=name, severity="error")
            return
        if mean_size(gradient) < VANISHING:
            self.tell("VanishingGradient", "the mean size of the gradient is below 1e-7", layer=name)
        if not bool(gradient.any()):
            self.tell("AllZero", "every gradient is zero", layer=name)

    def _weight(self, name: str, before: Tensor, after: Tensor) -> None:
        ratio = mean_size(after - before) / (mean_size(before) + 1e-9)
        if ratio < UPDATE[0] or ratio > UPDATE[1]:
            self.tell("WeightUpdateRatio", f"updates over weights: {ratio:.1e}", layer=name)
        same = name in self._last and torch.allclose(self._last[name], after, rtol=1e-5, atol=1e-8)
        self._still[name] = self._still.get(name, 1) + 1 if same else 1
        self._last[name] = after
        if self._still[name] >= UNCHANGED:
            self.tell("UnchangedTensor", "three looks found the same values", layer=name)

    def _saturated(self, leaves: dict[str, nn.Module], sample: Sample) -> None:
        for name, given in sample.inputs.items():
            bounds = SATURATED.get(type(leaves[name]))
            if bounds is not None:
                free = ((units(given) > bounds[0]) & (units(given) < bounds[1])).float().mean(0)
                if float((free < INACTIVE).float().mean()) > LAYER:
                    self.tell("SaturatedActivation", "more than half of the units are saturated", layer=name)

    def _initial(self, names: list[str], sample: Sample) -> None:
        variances = [float(sample.inputs[name].var()) for name in names if name in sample.inputs]
        if len(variances) > 1 and max(variances) > VARIANCES * min(variances):
            self._poor = "the inputs of rectifiers differ tenfold in variance"
        for gradient in sample.matrices(sample.gradients).values():
            ends = torch.quantile(gradient.flatten()[:1_000_000], torch.tensor([0.05, 0.95]))
            if float(ends[1] - ends[0]) < SPREAD:
                self._poor = "gradients spread by less than 0.001"

    def row(self, epoch: int) -> None:
        """Compare training and validation."""
        train, val = self.column("train_loss"), self.column("val_loss")
        if len(train) == len(val) and (val[-1] - train[-1]) > OVERFIT * abs(train[-1]):
            self.tell("Overfit", "the validation loss is more than 10 % above the training loss")
        for losses, patience in ((train, PATIENCE_TRAIN), (val, PATIENCE_VALIDATION)):
            if len(losses) > patience and min(losses[-patience:]) > min(losses[:-patience]) - DELTA:
                self.tell("Overtraining", f"no better by 0.01 for {patience} rows")
