"""How the loop uses PyTorch: gradients, optimizers, schedules, graphs."""

from dataclasses import dataclass
from typing import ClassVar

from dlcheck.runs.facts.fact import Fact, Site


@dataclass(frozen=True, slots=True)
class GradientClearing(Fact):
    """Whether gradients are cleared between steps (G306)."""

    NAME: ClassVar[str] = "gradient_clearing"
    steps: int
    """Optimizer steps looked at."""
    uncleared: int
    """Steps whose gradients still held those of an earlier step (nothing cleared them since)."""
    backwards_per_step: float
    """Median number of backward passes between two steps; above 1 is accumulation."""
    cleared_by: str = ""
    """``zero_grad``, ``grad = None``, ``zero_``, ``backward`` through a trainer, …; empty: never seen."""
    shared_parameters: bool = False
    """Several optimizers hold these parameters, or several losses feed them in turn."""
    norm_growth: float | None = None
    """Gradient norm at the end over that at the beginning."""
    site: Site | None = None
    """Where ``step`` is called."""


@dataclass(frozen=True, slots=True)
class StillLayer:
    """A weight that an optimizer holds and that does not move."""

    layer: str
    steps: int
    """Steps in a row without any change."""
    gradient: float | None
    """Its gradient's norm; None when it had no gradient."""
    lr: float
    weight_norm: float


@dataclass(frozen=True, slots=True)
class WeightsMoving(Fact):
    """Whether steps change the weights (G307)."""

    NAME: ClassVar[str] = "weights_moving"
    steps: int
    """Optimizer steps made."""
    backwards: int
    """Backward passes made: many without a single step is a step that is missing."""
    layers: int
    """Weights looked at."""
    still: tuple[StillLayer, ...] = ()
    """Weights that no sampled step changed though their gradient was not zero."""
    skipped_by_scaler: int = 0
    optimizers: int = 1
    """Optimizers that were built; 0 with backward passes is a missing optimizer."""
    moved: bool | None = None
    """Some weight changed between the first and the last backward pass, whoever changed it (a step by hand, say);
    None: not looked at.
    """
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class GraphGrowth(Fact):
    """Whether graphs of earlier steps are kept alive (G311)."""

    NAME: ClassVar[str] = "graph_growth"
    steps: int
    """Training steps looked at."""
    alive: int
    """Graphs of earlier steps' losses that were still alive at the end of those."""
    alive_middle: int
    """The same at half of the steps: growth with the steps is a leak, a constant number a window."""
    highest: int = 0
    """Most of them that were alive at any one step."""
    epoch_steps: int | None = None
    """Training steps of an epoch, where known: as many alive is a sum that is begun anew each epoch."""
    memory_slope: float | None = None
    """MiB a step by which memory grew, where measured."""
    memory_slope_low: float | None = None
    """Lower end of its 95 % interval."""
    retained: bool = False
    """``backward(retain_graph=True)`` was used."""
    crashed: bool = False
    """The second backward pass through a freed graph raised."""
    evaluation: bool = False
    """Graphs of evaluation passes, which nothing needed: no ``no_grad``."""
    resolution: int = 1
    """Losses that one marked loss may stand for: the counts are right up to so many."""
    site: Site | None = None
    """Where the loss that stays is computed or added up."""


@dataclass(frozen=True, slots=True)
class ScheduleCalls(Fact):
    """How a learning-rate schedule is stepped (G312)."""

    NAME: ClassVar[str] = "schedule_calls"
    scheduler: str
    """Its class."""
    scheduler_steps: int
    optimizer_steps: int
    epochs: int
    """Epochs of the training loader that were begun."""
    batches_per_epoch: int | None = None
    before_optimizer: bool = False
    """It was stepped before the optimizer's first step, skipped scaler steps aside."""
    horizon: int | None = None
    """Steps that the schedule was made for: T_max, total_steps, the last milestone, …"""
    horizon_name: str = ""
    lr_first: float = 0.0
    lr_last: float = 0.0
    lr_lowest: float = 0.0
    lr_collapsed_at: float | None = None
    """Share of the steps after which the rate had fallen below 1 % of its highest for good; None: never."""
    skipped_by_scaler: int = 0
    metric_missing: bool = False
    """A plateau schedule that was never given a metric."""
    replaced_optimizer: bool = False
    """It steps an optimizer that no longer trains."""
    finished: bool = True
    """The training came to its own end, so that the whole schedule was seen."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Clipping(Fact):
    """Clipping of the gradient's norm (G308)."""

    NAME: ClassVar[str] = "clipping"
    calls: int
    clipped: int
    """Calls in which the norm was above the limit."""
    limit: float
    median_norm: float
    """Before clipping."""
    p90_norm: float
    optimizer: str = ""
    rescales: bool = False
    """The optimizer's step does not depend on the gradient's scale (Adam and its kin, RMSprop, Adagrad)."""
    before_unscale: bool = False
    """Gradients were clipped while still multiplied by the loss scale."""
    after_step: bool = False
    """Called after the step it should protect, or before the backward pass."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class OptimizerGroup:
    """One parameter group of an optimizer, as it stood at the last step."""

    optimizer: str
    """Its class."""
    lr: float
    lr_highest: float
    """Highest during the run."""
    weight_decay: float = 0.0
    decoupled: bool = False
    """Decay as in AdamW, rather than added to the gradient."""
    momentum: float | None = None
    """Momentum, or Adam's first beta."""
    beta2: float | None = None
    eps: float | None = None
    parameters: int = 0
    """Numbers in it."""
    maximize: bool = False
    norms_or_biases: int = 0
    """Of ``parameters``, those of tensors with one axis."""


@dataclass(frozen=True, slots=True)
class OptimizerSettings(Fact):
    """The optimizers and their groups (G313, G316)."""

    NAME: ClassVar[str] = "optimizer_settings"
    groups: tuple[OptimizerGroup, ...]
    duplicates: int = 0
    """Parameters held twice."""
    steps: int = 0
    rebuilt: int = 0
    """Times an optimizer for the same parameters was built anew during training, which forgets its state."""
    rebuilt_per_epoch: bool = False
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class LossScale(Fact):
    """What a gradient scaler did (G309)."""

    NAME: ClassVar[str] = "loss_scale"
    steps: int
    skipped: int
    """Steps left out because gradients overflowed."""
    skipped_late: int
    """Of these, after the first 200 steps."""
    late_steps: int
    first: float
    last: float
    lowest: float
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Replicas(Fact):
    """Whether the replicas of distributed training hold the same weights (G315)."""

    NAME: ClassVar[str] = "replicas"
    ranks: int
    checks: int
    different: int
    """Checks at which some rank's weights differed from the first's."""
    largest: float
    """Largest difference of a checksum, relative to it."""
    layers: tuple[str, ...] = ()
    """At most 10 that differed."""
    buffers_only: bool = False
    """Only buffers differ (running statistics), which is usual."""
    step: int | None = None
    """First step at which they differed."""
    met_again: bool = False
    """They were equal at a later check: weights that are averaged every few steps on purpose."""
