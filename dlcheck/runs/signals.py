"""Every signal that a run may hold, with its unit and meaning, and the CSV columns named after them."""

import re
from dataclasses import dataclass
from typing import Literal

from dlcheck.runs import facts
from dlcheck.runs.facts import Fact
from dlcheck.runs.run import Curve, Run

Kind = Literal["scalar", "layer", "phase", "fact"]
TRAIN = "dlcheck train RECIPE"
WATCH = "dlcheck watch SCRIPT"
CHECK = "dlcheck check RECIPE"
PROFILE = "dlcheck profile-gpu RECIPE"
TUNE = "dlcheck tune RECIPE"


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that a run may have measured."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    supply: str
    """The command that would measure it."""
    split: str = ""
    """Scalars: of which data."""
    metric: str = ""
    """Scalars: the name in ``Run.scalars``; other kinds: layer statistic, phase or fact."""

    def present(self, run: Run) -> bool:
        """Return whether the run holds at least one value of this signal, finite or not."""
        if self.kind == "scalar":
            return self._has_scalar(run)
        if self.kind == "layer":
            return bool((run.layers["statistic"] == self.metric).any())
        if self.kind == "phase":
            return bool((run.phases["phase"] == self.metric).any())
        return self.metric in run.facts or self.metric in run.meta

    def _has_scalar(self, run: Run) -> bool:
        if self.metric == "*":
            return any(name != "loss" for name in run.metrics(self.split))
        return len(run.curve(self.metric, self.split)) > 0


def _scalar(name: str, split: str, metric: str, unit: str, meaning: str, supply: str = TRAIN) -> Signal:
    return Signal(name, "scalar", unit, meaning, supply, split, metric)


def _layer(statistic: str, unit: str, meaning: str) -> Signal:
    return Signal(f"layer_{statistic}", "layer", unit, meaning, WATCH, metric=statistic)


def _phase(phase: str, meaning: str) -> Signal:
    return Signal(f"phase_{phase}", "phase", "s per step", meaning, PROFILE, metric=phase)


def _fact(name: str, unit: str, meaning: str, supply: str = TRAIN) -> Signal:
    return Signal(name, "fact", unit, meaning, supply, metric=name)


def _record(kind: type[Fact]) -> Signal:
    """Return the signal of a fact with parts; its class says what the parts are."""
    meaning = (kind.__doc__ or "").splitlines()[0]
    return _fact(kind.NAME, f"see {kind.__name__}", meaning, _SUPPLY.get(kind.__module__, CHECK))


_SUPPLY = {
    "dlcheck.runs.facts.usage": WATCH,
    "dlcheck.runs.facts.numerics": WATCH,
    "dlcheck.runs.facts.ranks": WATCH,
    "dlcheck.runs.facts.search": TUNE,
    "dlcheck.runs.facts.profile": PROFILE,
}
"""Modules of facts that only a training or a search can tell."""
_KINDS = tuple(
    kind
    for name in facts.__all__
    if isinstance(kind := getattr(facts, name), type) and issubclass(kind, Fact) and kind is not Fact
)
_LOSS = "unit of the loss"
_METRIC = "unit of the metric"
_NOISE = "batch size at which noise and gradient are equally large (McCandlish et al. 2018, arXiv:1812.06162)"

_ALL = (
    _scalar("train_loss", "train", "loss", _LOSS, "mean over the training samples as they were trained on"),
    _scalar("train_eval_loss", "train_eval", "loss", _LOSS, "on training samples, in evaluation mode"),
    _scalar("val_loss", "val", "loss", _LOSS, "mean over the validation samples"),
    _scalar("test_loss", "test", "loss", _LOSS, "mean over the test samples"),
    _scalar("batch_loss", "train", "batch_loss", _LOSS, "of one batch, before the step it causes"),
    _scalar("train_metric", "train", "*", _METRIC, "any other metric, as the samples were trained on"),
    _scalar("train_eval_metric", "train_eval", "*", _METRIC, "any other metric on training samples"),
    _scalar("val_metric", "val", "*", _METRIC, "any other metric on validation samples"),
    _scalar("lr", "train", "lr", "1", "learning rate of the first parameter group"),
    _scalar("momentum", "train", "momentum", "1", "momentum, or Adam's first beta"),
    _scalar("grad_norm", "train", "grad_norm", "unit of the loss", "L2 norm of the gradient before clipping"),
    _scalar("grad_norm_clipped", "train", "grad_norm_clipped", "unit of the loss", "the same after clipping", WATCH),
    _scalar("gradient_noise", "train", "gradient_noise", "samples", _NOISE, WATCH),
    _scalar("loss_scale", "train", "loss_scale", "1", "factor of a gradient scaler", WATCH),
    _scalar("samples_per_s", "train", "samples_per_s", "1/s", "training samples in a second of wall time"),
    _scalar("memory_gib", "train", "memory_gib", "GiB", "largest memory in use on the device"),
    _layer("grad_norm", "unit of the loss", "L2 norm of the layer's gradient"),
    _layer("weight_norm", "1", "L2 norm of the layer's parameters"),
    _layer("update_ratio", "1", "norm of a step's change of the weights over the norm of the weights"),
    _layer("dead_fraction", "1", "share of units that were positive for none of the samples seen"),
    _layer("saturated_fraction", "1", "share of units beyond the bend of their sigmoid or tanh"),
    _layer("activation_mean", "1", "mean of the layer's output"),
    _layer("activation_std", "1", "standard deviation of the layer's output"),
    _phase("wait", "waiting for the next batch"),
    _phase("copy", "copying the batch to the device"),
    _phase("forward", "forward pass and loss"),
    _phase("backward", "backward pass"),
    _phase("optimizer", "the optimizer's step"),
    _fact("trivial_loss", _LOSS, "loss of the best constant predictor"),
    _fact("initial_loss", _LOSS, "loss before the first step", CHECK),
    _fact("expected_first_loss", _LOSS, "loss that an untrained network should have"),
    _fact("outputs", "1", "classes, numbers to predict, or size of the vocabulary"),
    _fact("class_counts", "samples", "training samples of each class", CHECK),
    _fact("samples", "samples", "samples in each split"),
    _fact("metric", "name", "metric that the run reports beside the loss"),
    *(_record(kind) for kind in _KINDS),
)

SIGNALS: dict[str, Signal] = {signal.name: signal for signal in _ALL}
"""All signals by name; rules name them in ``needs``."""

LOWER_IS_BETTER = re.compile(r"loss|error|err$|mae|mse|rmse|perplexity|ppl|nll|bits|distance|wer|cer|fid")
"""Names of metrics that improve by falling; all others improve by rising."""


def signal_curve(run: Run, name: str) -> Curve:
    """Return the series of a scalar signal; empty when it was never logged."""
    signal = SIGNALS[name]
    return run.curve(signal.metric, signal.split)


def main_metric(run: Run) -> str | None:
    """Return the metric that the run reports beside the loss: the one named in its facts, else the first."""
    own = {signal.metric for signal in _ALL if signal.kind == "scalar"}
    logged = [name for split in ("val", "train_eval", "train") for name in run.metrics(split) if name not in own]
    named = run.facts.get("metric")
    return str(named) if named in logged else next(iter(logged), None)


def lower_is_better(metric: str, run: Run | None = None) -> bool:
    """Return whether a metric improves by falling: by what the run says of it, else by its name."""
    if run is not None and run.facts.get("metric") == metric and "metric_greater_is_better" in run.facts:
        return not run.facts["metric_greater_is_better"]
    return bool(LOWER_IS_BETTER.search(metric.lower()))


def column_signal(column: str) -> tuple[str, str]:
    """Return split and metric of a column of ``metrics.csv``, such as ("val", "loss") of ``val_loss``.

    Columns without a split in their name, as ``lr``, belong to training.
    """
    for split in ("train_eval", "train", "val", "test"):
        if column.startswith(f"{split}_"):
            return split, column.removeprefix(f"{split}_")
    return "train", column
