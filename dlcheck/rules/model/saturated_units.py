"""M205."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Severity
from dlcheck.rules.layer_table import layer_table
from dlcheck.rules.model.quiet import quiet_low, worst
from dlcheck.rules.prescriptions import NORM, RELU, SCALE, XAVIER
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite, listed, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import QuietLayer, SaturatedUnits


@rule(
    "M205",
    "saturated-units",
    Severity.WARNING,
    needs=("saturated_units",),
    thresholds={
        "share": Threshold(0.5, "Ben Braiek & Khomh 2023, TheDeepChecker: most of a layer's units"),
        "beyond": Threshold(0.6, "inputs of a tanh 5.7 times as wide as at its bend of 1: usual ones are at most 1.7"),
        "samples": Threshold(128, "a unit saturated in 80 % of the samples passes for one of 90 % with p < 0.01"),
        "gradient": Threshold(1e-3, "Zhang et al. 2021, AutoTrainer: a thousandth of the gradients of other layers"),
    },
    references=("Glorot & Bengio 2010, AISTATS (saturation with depth)",),
    prescriptions=(XAVIER, SCALE, RELU, NORM),
)
def saturated_units(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find layers of sigmoid or tanh most of whose units are beyond the bend.

    What it finds:
        A layer in which more than half of the units, by the lower end of the 95 % interval, are saturated in
        over 90 % of the samples: before the first step, or later together with gradients that hardly pass.
        Before the first step also a layer most of whose answers, over all units and samples, are beyond the
        bend. Saturation alone, in a network that learns, is information.
    Why it matters:
        Beyond the bend the slope is almost 0, and so is the gradient of all that lies before it.
    What to do:
        Scale the inputs, begin with smaller weights (Xavier), lower the rate, or use ReLU.
    Limits:
        Well-trained networks may saturate tanh units on purpose. Gates of recurrent cells and a sigmoid that
        makes the answer are not judged.
    Thresholds:
        share: Share of saturated units in a layer.
        beyond: Share of all answers of a layer before the first step, whichever units they are of.
        samples: Samples over which units must have been watched.
        gradient: Gradient of some layer over that of another that shows that it hardly passes.
    Sources:
        Glorot & Bengio 2010, AISTATS; Ben Braiek & Khomh 2023, ACM TOSEM 32(5).
    """
    seen = measured(run, SaturatedUnits)
    first = {layer.layer: layer for layer in (*seen.first, *seen.layers) if layer.step == 0}
    start = _found(list(first.values()), limits)
    later = _found([layer for layer in seen.layers if layer.step > 0], limits)
    if start is None and later is None:
        raise Unchecked(f"no layer of sigmoid or tanh was watched over {limits['samples']:.0f} samples")
    if start:
        yield _judge(run, start, ratio=None, severity=Severity.WARNING)
    elif later:
        ratio = _passing(run)
        stopped = ratio is not None and ratio < limits["gradient"]
        yield _judge(run, later, ratio=ratio, severity=Severity.WARNING if stopped else Severity.INFO)


def _found(layers: list[QuietLayer], limits: Limits) -> list[QuietLayer] | None:
    """Return the saturated ones among layers that can be judged; None when none can."""
    judged = [
        layer
        for layer in layers
        if layer.units > 0 and layer.samples >= limits["samples"] and not (layer.gate or layer.output)
    ]
    return [layer for layer in judged if _saturated(layer, limits)] if judged else None


def _saturated(layer: QuietLayer, limits: Limits) -> bool:
    wide = layer.step == 0 and layer.beyond is not None and layer.beyond > limits["beyond"]
    return wide or quiet_low(layer) > limits["share"]


def _passing(run: Run) -> float | None:
    """Return the smallest over the largest median gradient norm of a layer; None when not measured."""
    table = layer_table(run, "grad_norm")
    if len(table.names) < 2 or not len(table):
        return None
    half = table.taken(np.arange(len(table)) >= len(table) // 2)
    medians = half.medians
    return float(medians.min() / medians.max()) if len(medians) > 1 and medians.max() > 0 else None


def _counted(layer: QuietLayer) -> str:
    units = f"{layer.quiet} of {layer.units} {layer.activation} units of {layer.layer} are saturated"
    most = f"{units} in over 90 % of {layer.samples} samples"
    if layer.beyond is None or 2 * layer.quiet > layer.units:
        return most
    over = f"{layer.activation}, {layer.samples} samples"
    return f"{layer.beyond:.0%} of the answers of {layer.layer} ({over}) are saturated"


def _judge(run: Run, found: list[QuietLayer], *, ratio: float | None, severity: Severity) -> Finding:
    most = worst(found)
    others = f"; so are others: {listed([layer.layer for layer in found if layer is not most])}" if found[1:] else ""
    passing = f"; the smallest gradient of a layer is {ratio:.2g} of the largest" if ratio is not None else ""
    return saturated_units.finding(
        f"{_counted(most)}{' at initialisation' if most.step == 0 else ''}{others}{passing}",
        severity=severity,
        confidence=0.8 if severity is Severity.WARNING else 0.5,
        evidence={
            "saturated": most.quiet,
            "units": most.units,
            "share": share(most.quiet, most.units),
            "low": quiet_low(most),
            "beyond": finite(most.beyond),
            "samples": most.samples,
            "gradient_ratio": ratio,
        },
        where=site_where(None, layer=most.layer, step=most.step),
        cause="weights or inputs too large from the start"
        if most.step == 0
        else "steps or weights that grew too large",
    )
