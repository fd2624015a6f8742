"""M203."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity
from dlcheck.rules.prescriptions import DEFAULT_INIT, HE, NORM, RELU, XAVIER
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import site_where
from dlcheck.rules.statistics import trend
from dlcheck.runs import Run
from dlcheck.runs.facts import DepthSpread


@rule(
    "M203",
    "initialization-scale",
    Severity.WARNING,
    needs=("depth_spread",),
    thresholds={
        "least_layers": Threshold(4, "Mann 1945: four layers in order have p = 1/24, fewer cannot reach 0.05"),
        "level": Threshold(0.05, "one-sided level of the trend over depth (Mann 1945)"),
        "activation": Threshold(10.0, "Amazon SageMaker Debugger, rule PoorWeightInitialization: tenfold"),
        "gradient": Threshold(1e3, "Zhang et al. 2021, AutoTrainer: a first layer with a thousandth of the last's"),
        "beyond": Threshold(0.5, "Glorot & Bengio 2010: units should begin in their linear part; here most do not"),
        "lost": Threshold(1e6, "float32 keeps seven digits: what is added to a weight is rounded away"),
    },
    references=("Glorot & Bengio 2010, AISTATS", "He et al. 2015, arXiv:1502.01852"),
    prescriptions=(
        HE,
        XAVIER,
        NORM,
        RELU,
        DEFAULT_INIT,
    ),
)
def initialization_scale(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find initial weights under which activations and gradients vanish or explode with depth.

    What it finds:
        A spread of the activations that falls or rises from layer to layer by more than tenfold in all, and a
        gradient that does so on its way back by more than a thousandfold. Behind a sigmoid or tanh activations
        cannot grow: there, such a gradient while most numbers lie beyond the bend. Or a gradient alone that
        changes by more than float32 resolves. All as trends over the depth, not between single layers.
    Why it matters:
        The first layers learn nothing, or the first steps overflow.
    What to do:
        He's or Xavier's initialisation, ReLU or GELU instead of sigmoid, normalisation, residual branches.
    Limits:
        Layers that a normalisation follows are left out: it restores the scale. So are layers that begin at
        zero on purpose, and the last layer's activation. Loaded weights are not judged.
    Thresholds:
        least_layers: Fewer layers are not judged.
        level: Significance of the trend over depth.
        activation: First over last spread of the activations, or its inverse.
        gradient: The same of the gradients.
        beyond: Share of a layer's numbers beyond the bend of their sigmoid or tanh, in the median layer.
        lost: The same of the gradients alone.
    Sources:
        Glorot & Bengio 2010, AISTATS; He et al. 2015, arXiv:1502.01852; Zhang et al. 2021, AutoTrainer, ICSE.
    """
    seen = measured(run, DepthSpread)
    if seen.pretrained:
        raise Unchecked("weights were loaded, not drawn")
    least = int(limits["least_layers"])
    gradient = _slope(seen, seen.gradient_norm, seen.layers, least, limits["level"])
    activation = _slope(seen, seen.activation_std, seen.layers[:-1], least - 1, 1.0)
    if gradient is None or activation is None:
        raise Unchecked(f"too few layers without normalisation; {least} are needed for a trend over depth")
    agree = activation.factor * gradient.factor < 0
    both = activation.beyond(limits["activation"]) and gradient.beyond(limits["gradient"]) and agree
    bent = _beyond(seen) >= limits["beyond"] and gradient.beyond(limits["gradient"])
    if gradient.certain and (both or bent or gradient.beyond(limits["lost"])):
        yield _judge(run, seen, activation, gradient)


def _beyond(seen: DepthSpread) -> float:
    """Return the median layer's share of numbers beyond the bend, the last layer left out."""
    return float(np.median(seen.beyond_bend[:-1])) if len(seen.beyond_bend) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class _Slope:
    """How a statistic changes from the first layer to the last."""

    factor: float
    """Natural logarithm of last over first, by the Theil-Sen line."""
    certain: bool
    layers: int

    def beyond(self, ratio: float) -> bool:
        """Return whether it changes by more than this, either way."""
        return abs(self.factor) >= math.log(ratio)

    @property
    def ratio(self) -> float:
        """Last over first."""
        return math.exp(min(700.0, max(-700.0, self.factor)))


def _slope(
    seen: DepthSpread, values: tuple[float, ...], layers: tuple[str, ...], least: int, level: float
) -> _Slope | None:
    """Return the change of a statistic over the layers that carry it; None when they are too few."""
    normalized = seen.normalized or (False,) * len(seen.layers)
    kept = [
        (place, math.log(value))
        for place, (value, _, after) in enumerate(zip(values, layers, normalized, strict=False))
        if math.isfinite(value) and value > 0 and not after
    ]
    if len(kept) < least or 2 * len(kept) < len(layers):
        return None
    x, y = (np.array(column, dtype=np.float64) for column in zip(*kept, strict=True))
    line = trend(x, y)
    certain = min(line.p_rising, line.p_falling) < level
    return _Slope(line.slope * float(x[-1] - x[0]), certain, len(kept))


def _judge(run: Run, seen: DepthSpread, activation: _Slope, gradient: _Slope) -> Finding:
    vanish = gradient.factor > 0
    word = "vanish" if vanish else "explode"
    beyond = _beyond(seen)
    bent = f", {beyond:.0%} of them beyond the bend of their sigmoid or tanh" if beyond else ""
    return initialization_scale.finding(
        f"gradients {word} with depth at initialisation: the first layer's is {1 / gradient.ratio:.2g} times "
        f"the last's, while activations change {activation.ratio:.2g}-fold over {activation.layers} layers{bent}",
        confidence=0.9,
        evidence={
            "gradient_first_over_last": 1 / gradient.ratio,
            "activation_last_over_first": activation.ratio,
            "beyond_bend": beyond,
            "layers": len(seen.layers),
            "samples": seen.samples,
        },
        where=site_where(None, layer=seen.layers[0], step=0),
        cause="initial weights too small for the depth, or activations that saturate"
        if vanish
        else "initial weights too large for the depth",
    )
