"""What is measured of a network before its first step. Layers have the names of ``model.named_modules``."""

from dataclasses import dataclass
from typing import ClassVar

from dlcheck.runs.facts.fact import Fact


@dataclass(frozen=True, slots=True)
class FirstLoss(Fact):
    """The loss before the first step against what an untrained network should have (M201)."""

    NAME: ClassVar[str] = "first_loss"
    loss: float
    """Mean over ``samples``, before any step; dropout and augmentation as in training."""
    expected: float
    """ln C, ln 2, the variance of the target, … (``expected_first_loss`` of the loss)."""
    best_constant: float | None = None
    """Loss of the best constant answer."""
    spread: float = 0.0
    """Standard error of ``loss``."""
    samples: int = 0
    kind: str = ""
    """``cross_entropy``, ``bce``, ``mse``, …"""
    pretrained: bool = False
    """Weights were loaded, not drawn: another loss may be meant."""
    largest_logit: float | None = None
    """Largest absolute output."""
    rows: int = 0
    """Training samples in all; 0: not known."""
    rescaled: bool = False
    """The optimizer divides gradients by their size, so that the scale of the loss hardly matters."""


@dataclass(frozen=True, slots=True)
class SymmetricLayer:
    """A weight whose units all compute the same."""

    layer: str
    kind: str
    """``zero``, ``constant`` or ``equal rows``."""
    units: int
    distinct: int
    """Distinct rows of the weight."""
    last: bool
    """It makes the network's output: zeros there are harmless, each output has a gradient of its own."""
    residual: bool = False
    """Its output is added to something else (a residual branch or adapter that starts as zero on purpose)."""
    still: bool | None = None
    """Its rows are still equal, or it has not moved, after ``steps`` of training; None when no step was made."""


@dataclass(frozen=True, slots=True)
class WeightSymmetry(Fact):
    """Layers whose units cannot become different (M202)."""

    NAME: ClassVar[str] = "weight_symmetry"
    layers: int
    """Weights with two axes or more that train."""
    symmetric: tuple[SymmetricLayer, ...] = ()
    steps: int = 0
    """Steps after which ``still`` was looked at."""


@dataclass(frozen=True, slots=True)
class DepthSpread(Fact):
    """How activations and gradients change with depth, at initialisation (M203). All lists have one entry a layer."""

    NAME: ClassVar[str] = "depth_spread"
    layers: tuple[str, ...]
    """Layers with weights, in the order of the forward pass."""
    activation_std: tuple[float, ...]
    """Standard deviation of each layer's output over batch and units, on real inputs."""
    gradient_norm: tuple[float, ...]
    """Norm of the gradient with respect to each layer's output, over all samples, units and positions."""
    weight_std: tuple[float, ...] = ()
    fan_in: tuple[int, ...] = ()
    samples: int = 0
    pretrained: bool = False
    normalized: tuple[bool, ...] = ()
    """Whether a normalisation layer follows."""
    beyond_bend: tuple[float, ...] = ()
    """Share of the layer's numbers that lie beyond the bend of the sigmoid or tanh that they go into; 0 without one."""
