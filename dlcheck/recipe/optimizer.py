"""The ``[loss]``, ``[optimizer]``, ``[schedule]`` and ``[regularize]`` sections."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from dlcheck.recipe.section import Custom, Section

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[list[Decay], Field(min_length=2, max_length=2)]


class LossSection(Section):
    """``[loss]``: what training makes small."""

    name: Literal["auto", "cross_entropy", "bce", "hinge", "mse", "mae", "huber"]
    """``auto``: cross-entropy for classes and text, mean squared error for numbers."""
    class_weights: Literal["none", "balanced"] | list[Positive] = "none"
    """``balanced`` weighs each class by the inverse of its frequency."""
    delta: Positive = 1.0
    """Where ``huber`` turns from square to straight."""
    margin: Positive = 1.0
    """Of ``hinge``."""


class CustomLoss(Custom):
    """The user's own loss: a module or function of output and target, returning the mean over the batch."""


Loss = Annotated[LossSection | CustomLoss, Field(discriminator="name")]


class Group(Section):
    """``[[optimizer.groups]]``: another rate for some parameters."""

    match: str
    """Pattern of parameter names, as ``"head.*"``; the first group that matches holds."""
    lr_factor: NotNegative | None = None
    """Relative to ``optimizer.lr``."""
    weight_decay: NotNegative | None = None


class OptimizerSection(Section):
    """Keys that every optimizer has."""

    lr: Positive = 0.001
    weight_decay: NotNegative = 0.0
    """As the optimizer defines it: added to the gradient, or decoupled from it (adamw)."""
    decay_norm_bias: bool = True
    """False leaves norms and biases without weight decay."""
    groups: list[Group] = []
    switch: "Switch | None" = None


class Sgd(OptimizerSection):
    """Stochastic gradient descent: plain, with momentum, with Nesterov's momentum."""

    name: Literal["sgd", "momentum", "nesterov"]
    lr: Positive = 0.01
    momentum: Decay = 0.9
    """Ignored by ``sgd``, which has none."""


class Adagrad(OptimizerSection):
    """Rates that shrink with the sum of squared gradients."""

    name: Literal["adagrad"]
    lr: Positive = 0.01
    eps: Positive = 1e-10


class RmsProp(OptimizerSection):
    """Rates relative to the running mean of squared gradients."""

    name: Literal["rmsprop"]
    alpha: Decay = 0.99
    momentum: Decay = 0.0
    eps: Positive = 1e-8


class Adam(OptimizerSection):
    """Running means of the gradient and of its square, and the variants built on them."""

    name: Literal["adam", "adamw", "amsgrad", "radam", "nadam"]
    betas: Betas = [0.9, 0.999]
    eps: Positive = 1e-8
    bias_correction: bool = True
    """False (``adam`` only) shows what the correction of the first steps is for."""


class AdamVariant(OptimizerSection):
    """Adam variants from the literature."""

    name: Literal["diffgrad", "adabelief", "angulargrad", "adainject"]
    betas: Betas = [0.9, 0.999]
    eps: Positive = 1e-8


class Lbfgs(OptimizerSection):
    """Limited-memory BFGS with a strong-Wolfe line search; meant for full batches."""

    name: Literal["lbfgs"]
    lr: Positive = 1.0
    history: Annotated[int, Field(ge=1)] = 10
    max_iterations: Annotated[int, Field(ge=1)] = 20
    """Inner iterations a step."""


class CustomOptimizer(OptimizerSection, Custom):
    """The user's own ``torch.optim.Optimizer`` class, called with groups, ``lr`` and the other keys."""

    @model_serializer(mode="wrap")
    def _keep_unset(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # An unset weight decay is the class's own default, not 0: a written recipe must leave it out too.
        values: dict[str, Any] = serialize(self)
        if "weight_decay" not in self.model_fields_set:
            values.pop("weight_decay", None)
        return values


Optimizer = Annotated[
    Sgd | Adagrad | RmsProp | Adam | AdamVariant | Lbfgs | CustomOptimizer, Field(discriminator="name")
]


class Switch(Section):
    """``[optimizer.switch]``: go on with another optimizer from an epoch on (Adam first, SGD later)."""

    epoch: Annotated[int, Field(ge=1)]
    """Epochs of the first optimizer, after which the second goes on."""
    to: Optimizer


for _section in (OptimizerSection, Sgd, Adagrad, RmsProp, Adam, AdamVariant, Lbfgs, CustomOptimizer, Switch):
    _section.model_rebuild()


class ScheduleSection(Section):
    """Keys that every schedule has."""

    warmup: NotNegative = 0.0
    """Epochs of linear warm-up before the schedule begins; fractions are fine."""


class ConstantSchedule(ScheduleSection):
    """The same rate all the time."""

    name: Literal["constant"]


class StepSchedule(ScheduleSection):
    """The rate times ``gamma`` every ``every`` epochs."""

    name: Literal["step"]
    every: Annotated[int, Field(ge=1)] = 10
    gamma: Positive = 0.1


class MultiStepSchedule(ScheduleSection):
    """The rate times ``gamma`` at each of the named epochs."""

    name: Literal["multistep"]
    milestones: list[Annotated[int, Field(ge=1)]] = [10, 15]
    gamma: Positive = 0.1


class ExponentialSchedule(ScheduleSection):
    """The rate times ``gamma`` every epoch."""

    name: Literal["exponential"]
    gamma: Positive = 0.95


class InverseTimeSchedule(ScheduleSection):
    """The rate divided by 1 + ``decay`` · epochs."""

    name: Literal["inverse_time"]
    decay: Positive = 1.0


class CosineSchedule(ScheduleSection):
    """Half a cosine from the rate down to ``final`` times the rate, step by step."""

    name: Literal["cosine"]
    final: Annotated[float, Field(ge=0, le=1)] = 0.0


class OneCycleSchedule(ScheduleSection):
    """Up to the rate, down far below it, momentum the other way round (Smith's 1cycle)."""

    name: Literal["one_cycle"]
    rise: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Share of the training spent rising."""
    start_factor: Annotated[float, Field(ge=1)] = 25.0
    """First rate = rate / this."""
    final_factor: Annotated[float, Field(ge=1)] = 1e4
    """Last rate = first rate / this."""


class CyclicSchedule(ScheduleSection):
    """Back and forth between ``low`` times the rate and the rate; triangular2 halves the swing each cycle."""

    name: Literal["cyclic"]
    shape: Literal["triangular", "triangular2"] = "triangular"
    low: Annotated[float, Field(gt=0, lt=1)] = 0.1
    period: Positive = 4.0
    """Epochs of a whole cycle."""


class PlateauSchedule(ScheduleSection):
    """The rate times ``factor`` when the monitored value has not improved for ``patience`` epochs."""

    name: Literal["plateau"]
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Annotated[int, Field(ge=0)] = 5
    min_delta: NotNegative = 1e-4
    """Relative improvement that counts."""


class CustomSchedule(ScheduleSection, Custom):
    """The user's own scheduler class, called with the optimizer and stepped once per epoch."""


Schedule = Annotated[
    ConstantSchedule
    | StepSchedule
    | MultiStepSchedule
    | ExponentialSchedule
    | InverseTimeSchedule
    | CosineSchedule
    | OneCycleSchedule
    | CyclicSchedule
    | PlateauSchedule
    | CustomSchedule,
    Field(discriminator="name"),
]


class Regularize(Section):
    """``[regularize]``: what keeps the network from learning the training set by heart."""

    l1: NotNegative = 0.0
    """Penalty l1 · Σ|w|; together with ``l2`` the elastic net."""
    l2: NotNegative = 0.0
    """Penalty l2 / 2 · Σw²."""
    penalize_bias: bool = False
    """Apply ``l1`` and ``l2`` to biases and norms too."""
    max_norm: Positive | None = None
    """Largest norm of the weights into one unit; longer ones are scaled back after each step."""
    dropconnect: Decay = 0.0
    """Probability to drop a weight (of fully connected layers) for a step."""
    weight_noise: NotNegative = 0.0
    """Standard deviation of noise on the weights during a step."""
    input_noise: NotNegative = 0.0
    """Standard deviation of noise on the (normalised) inputs during a step."""
    label_smoothing: Decay = 0.0
    """Share of the target's weight spread over all classes."""
    mixup: NotNegative = 0.0
    """α of the Beta law that mixes pairs of samples and their targets (0.2 is usual)."""
    average: Literal["none", "ema", "swa"] = "none"
    """Validate, test and keep averaged weights: exponentially, or evenly over the last epochs."""
    average_decay: Decay = 0.999
    """Of ``ema``, per step."""
    average_start: Annotated[float, Field(ge=0, lt=1)] = 0.75
    """Of ``swa``: share of the training before averaging begins."""
