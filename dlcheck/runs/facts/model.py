"""What is measured of a model that trains, and of its loss. Layers have the names of ``model.named_modules``."""

from dataclasses import dataclass
from typing import ClassVar

from dlcheck.runs.facts.fact import Fact, Site


@dataclass(frozen=True, slots=True)
class QuietLayer:
    """Units of one layer that say nothing: dead (M204) or saturated (M205)."""

    layer: str
    """The activation module, or the layer before a functional activation."""
    activation: str
    """``relu``, ``tanh``, ``sigmoid``, …"""
    units: int
    """Channels of a convolution, features of a linear layer."""
    quiet: int
    """Dead: active for none of the samples. Saturated: beyond the bend in over 90 % of them."""
    samples: int
    """Samples over which that was counted (not batch × positions)."""
    step: int
    """Steps of training before it was measured; 0 is initialisation."""
    positions: bool = False
    """Units are channels seen at many positions of each sample."""
    gate: bool = False
    """It opens and closes what another path carries (gates of a recurrent cell, attention to channels)."""
    output: bool = False
    """It makes the network's own answer."""
    beyond: float | None = None
    """Share of all units and samples together that were beyond the bend; None where that was not counted."""


@dataclass(frozen=True, slots=True)
class DeadUnits(Fact):
    """Layers with rectified activations: how many units were positive for none of the samples (M204)."""

    NAME: ClassVar[str] = "dead_units"
    layers: tuple[QuietLayer, ...]
    """As last measured over at least 512 samples, or all there are."""
    first: tuple[QuietLayer, ...] = ()
    """The same at the first measurement."""


@dataclass(frozen=True, slots=True)
class SaturatedUnits(Fact):
    """Layers of sigmoid or tanh: how many units are beyond the bend, |pre-activation| > 6 or > 3 (M205)."""

    NAME: ClassVar[str] = "saturated_units"
    layers: tuple[QuietLayer, ...]
    first: tuple[QuietLayer, ...] = ()


@dataclass(frozen=True, slots=True)
class LossCall:
    """Calls of one loss function from one place, with what went in."""

    loss: str
    """``cross_entropy``, ``nll_loss``, ``binary_cross_entropy_with_logits``, ``mse_loss``, …, as PyTorch names it."""
    calls: int
    """Calls looked at."""
    input_kind: str
    """``probabilities`` (each row non-negative and summing to 1), ``log_probabilities`` (exp of it does),
    ``unit_interval`` (all within 0 … 1, not summing to 1), ``raw``.
    """
    matched: int
    """Of ``calls``, those whose input was of that kind."""
    made_by: str = ""
    """Operation that made the input, where the graph tells: ``softmax``, ``log_softmax``, ``sigmoid``, ``relu``, …"""
    input_shape: tuple[int, ...] = ()
    target_shape: tuple[int, ...] = ()
    broadcast: bool = False
    """Shapes differ and were spread over each other, as (N, 1) against (N,)."""
    smallest: float = 0.0
    """Of the inputs."""
    largest: float = 0.0
    soft_target: bool = False
    """Targets are probabilities or float values rather than class codes."""
    trains: bool = True
    """A backward pass followed it."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class LossCalls(Fact):
    """What losses were given (M206, M211)."""

    NAME: ClassVar[str] = "loss_calls"
    calls: tuple[LossCall, ...]


@dataclass(frozen=True, slots=True)
class ParameterCoverage(Fact):
    """Parameters that are meant to train, and whether they can (M207)."""

    NAME: ClassVar[str] = "parameter_coverage"
    parameters: int
    """Tensors of the models that ran in training."""
    trainable: int
    """Those with ``requires_grad``."""
    optimized: int
    """Those with ``requires_grad`` that an optimizer holds."""
    outside: tuple[str, ...] = ()
    """At most 20 names that require a gradient, get one, and that no optimizer holds."""
    outside_count: int = 0
    without_gradient: tuple[str, ...] = ()
    """At most 20 names that an optimizer holds and that never got a gradient in ``steps`` steps."""
    without_gradient_count: int = 0
    unused: tuple[str, ...] = ()
    """Of ``without_gradient``, those whose module was never called (an unused head, say)."""
    frozen_count: int = 0
    """``requires_grad`` is False: deliberate, unless it is everything."""
    stale: tuple[str, ...] = ()
    """Parameters an optimizer holds that no model has any more: a layer was replaced after the optimizer was built."""
    stale_count: int = 0
    steps: int = 0
    outside_loaded: int = 0
    """Of ``outside_count``, those whose values were loaded rather than drawn: a trained part that is kept as it is."""
    outside_whole: int = 0
    """Of ``outside_count``, those of models of which no optimizer holds anything: a fixed teacher or judge."""
    without_graph_count: int = 0
    """Of ``without_gradient_count``, those whose module ran only where no graph is recorded (``no_grad``): a part
    that is kept as it is on purpose.
    """
    detached: bool = False
    """The loss had no graph behind it (everything frozen, ``no_grad`` or ``detach``)."""
    crashed: bool = False
    site: Site | None = None
    """Where the optimizer was built."""


@dataclass(frozen=True, slots=True)
class BatchLeak(Fact):
    """Whether one sample's output depends on another's input, in evaluation mode (M208)."""

    NAME: ClassVar[str] = "batch_leak"
    samples: int
    """Samples of the batch tried."""
    leaks: int
    """Pairs (i, j ≠ i) whose output i has a gradient with respect to input j."""
    largest: float
    """Largest such gradient norm over that of the sample's own."""
    axis: int | None = None
    """Axis of the input along which samples mix, where one explains it."""
    time_leak: bool = False
    """In a language model: an output depends on later inputs."""
    example: tuple[int, ...] = ()
    """One leaking pair."""


@dataclass(frozen=True, slots=True)
class OverfitBatch(Fact):
    """The classic: can the network learn one small batch by heart (M209)?"""

    NAME: ClassVar[str] = "overfit_batch"
    samples: int
    steps: int
    """Made."""
    budget: int
    """Allowed."""
    solved: bool
    first_loss: float
    last_loss: float
    best_loss: float
    target_loss: float
    """Loss that counts as learned by heart."""
    score: float | None = None
    """Accuracy at the end; None for regression."""
    shape: str = "solved"
    """``solved``, ``rises``, ``explodes``, ``oscillates``, ``flat``, ``slow`` (still falling), ``stuck`` (it fell, but
    no more).
    """
    lr: float = 0.0
    """Learning rate that was used, after trying others."""
    rates_tried: tuple[float, ...] = ()
    conflicting: int = 0
    """Samples of the batch with an input equal to another's of a different label: no network can learn these."""
    floor: float = 0.0
    """Loss that such conflicts leave at best."""
    curve: tuple[float, ...] = ()
    """At most 100 losses."""


@dataclass(frozen=True, slots=True)
class BatchNormBatches(Fact):
    """Batch normalisation and the number of values it averages over (M210)."""

    NAME: ClassVar[str] = "batchnorm_batches"
    layers: tuple[str, ...]
    """At most 20 names of layers that normalise over the batch in training mode."""
    layer_count: int
    batch: int
    """Samples in a usual training batch."""
    smallest: int
    """Samples in the smallest training batch (the last of an epoch, often)."""
    values: int
    """Values per channel over which the usual batch's statistics are taken, in the layer that has fewest."""
    smallest_values: int
    """The same in the smallest batch; 1 makes PyTorch raise."""
    crashed: bool = False
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class EvaluationMode(Fact):
    """Forward passes for evaluation, and the mode they ran in (M212)."""

    NAME: ClassVar[str] = "evaluation_mode"
    passes: int
    """Forward passes of a model that trains, without a backward pass, on data that is not trained on."""
    in_train_mode: int
    modules: tuple[str, ...] = ()
    """At most 10 dropout or batch-norm modules that were in training mode then and behave differently in it."""
    batchnorm: bool = False
    """Some of them are batch norms, whose running statistics such passes change."""
    dropout: bool = False
    repeated: bool = False
    """The same batch went through several times: Monte-Carlo dropout."""
    stateful_only_batchnorm: bool = False
    """All modules but batch norms were in evaluation mode: statistics are being re-estimated on purpose."""
    explicit: bool = False
    """``eval()`` was called at some time on the model: the author knows of modes."""
    loss_difference: float | None = None
    """Relative difference of the loss on one batch between both modes, where measured."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class TrainingMode(Fact):
    """Training steps, and the mode they ran in (M213)."""

    NAME: ClassVar[str] = "training_mode"
    steps: int
    in_eval_mode: int
    """Steps in which dropout or batch-norm modules whose parameters train were in evaluation mode."""
    modules: tuple[str, ...] = ()
    """At most 10 of these modules."""
    dropout: bool = False
    """Some of them are dropouts."""
    batchnorm: bool = False
    only_batchnorm: bool = False
    """All of them are batch norms, while the root is in training mode: frozen statistics, often deliberate."""
    partly: bool = False
    """The root itself was in training mode in all of them: somebody put parts of it into evaluation mode."""
    never_trained_mode: bool = False
    """No step at all ran in training mode."""
    first_step: int | None = None
    """First step in evaluation mode (after an evaluation, usually)."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class InputIgnored(Fact):
    """Whether the answer depends on the input (M214)."""

    NAME: ClassVar[str] = "input_ignored"
    sensitivity: float
    """Root mean square change of the output when inputs are swapped between samples, over the spread of the output;
    0 means that inputs do not reach the output at all."""
    gradient: float
    """Norm of the gradient of the output with respect to the input."""
    real_loss: float | None = None
    """Loss after a few steps of training on real inputs …"""
    zeroed_loss: float | None = None
    """… and on zeros in their place."""
    p: float | None = None
    """One-sided test that real inputs do no better."""
    inputs: tuple[str, ...] = ()
    """Names or places of the inputs that are ignored, where there are several."""


@dataclass(frozen=True, slots=True)
class Dropouts(Fact):
    """Dropout in force, and what it costs (M215)."""

    NAME: ClassVar[str] = "dropouts"
    layers: tuple[str, ...]
    rates: tuple[float, ...]
    """Probability to drop, one a layer."""
    train_loss: float | None = None
    """On one set of training samples with dropout …"""
    eval_loss: float | None = None
    """… and without, at the end of training."""
    on_output: bool = False
    """A dropout acts on the network's output itself."""
    constant_loss: float | None = None
    """Loss of the best constant answer to the samples of ``eval_loss``, or more; None when not known."""


@dataclass(frozen=True, slots=True)
class Predictions(Fact):
    """What the network answers on validation (or training) samples (M216)."""

    NAME: ClassVar[str] = "predictions"
    samples: int
    counts: tuple[int, ...] = ()
    """Classification: how often each class was the answer."""
    labels: tuple[int, ...] = ()
    """How often each class occurs among the same samples."""
    output_std: float | None = None
    """Regression: standard deviation of the answers …"""
    target_std: float | None = None
    """… and of the targets."""
    largest_difference: float | None = None
    """Largest absolute difference between two samples' outputs."""
    step: int = 0
    """Steps of training before it was measured."""
