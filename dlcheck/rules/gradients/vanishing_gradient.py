"""G303."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.gradients.exploding_gradient import depth_ratios
from dlcheck.rules.layer_table import LayerTable, layer_table, settled, started_at_zero
from dlcheck.rules.loss_state import loss_state
from dlcheck.rules.prescriptions import HE, NORM, RELU, XAVIER
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.runs import Run


@rule(
    "G303",
    "vanishing-gradient",
    Severity.WARNING,
    needs=("layer_grad_norm",),
    thresholds={
        "depth": Threshold(
            1e-3, "Zhang et al. 2021 (AutoTrainer); measured: 99 % of 199 healthy small runs above 0.06"
        ),
        "in_a_row": Threshold(3, "three measured steps: one can be strange"),
        "share": Threshold(0.5, "in most of the measured steps"),
        "ratio": Threshold(1e-5, "measured: 99 % of steps of 199 healthy small runs above 8e-5; CS231n: about 1e-3"),
        "gained": Threshold(0.1, "a tenth of the start: less is not worth the name of learning"),
        "least_layers": Threshold(3, "a gradient needs layers to vanish in"),
    },
    references=(
        "Glorot & Bengio 2010, Understanding the difficulty of training deep feedforward neural networks, AISTATS",
        "Zhang et al. 2021, AutoTrainer, ICSE",
    ),
    prescriptions=(
        RELU,
        HE,
        XAVIER,
        NORM,
    ),
)
def vanishing_gradient(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find first layers that no gradient reaches.

    What it finds:
        Two signals that agree: the gradient of the first layer is less than a thousandth of the last one's (or
        no layer has any), in most measured steps and several in a row; and the training loss does not learn, or
        the first layer hardly moves while the last one does.
    Why it matters:
        Layers near the input keep their random weights, and the layers after them learn from noise, or nothing.
    What to do:
        Use rectified activations rather than sigmoids, weights drawn for them (He, Glorot), normalisation
        layers and residual connections; in a recurrent network a gated cell.
    Limits:
        Layers are taken in the order of the model's parameters. Networks of which some layers start at 0 on purpose
        (residual branches, the last layer) are not judged. A run that learns with such gradients is not
        found, and gradients that all shrink together, as at the end of a good run, are none.
    Thresholds:
        depth: Gradient of the first layer over that of the last.
        in_a_row: Measured steps in a row, at least.
        share: Share of the measured steps, at least.
        ratio: |Δw| / |w| of a first layer that hardly moves.
        gained: Share of the start that a loss which learns has gained at the end.
        least_layers: Fewer layers are not judged.
    Sources:
        Glorot & Bengio 2010, AISTATS; Zhang et al. 2021, AutoTrainer (threshold on the ratio).
    """
    everything = layer_table(run, "grad_norm")
    if len(everything.names) < limits["least_layers"]:
        raise Unchecked(f"only {len(everything.names)} layers have a measured gradient")
    table = settled(run, everything, int(limits["in_a_row"]))
    if len(table.names) < limits["least_layers"]:
        raise Unchecked("too few layers have a finite gradient after the first steps")
    zeros = started_at_zero(run)
    if zeros and len(zeros) <= len(everything.names) / 2:
        raise Unchecked("some layers started at 0, behind which gradients are small until they have grown")
    some = np.nan_to_num(table.values).max(axis=1, initial=0.0) > 0
    ratios = np.where(some, _by_step(table), 0.0)
    tiny = ratios < limits["depth"]
    if tiny.mean() <= limits["share"] or _longest(tiny) < limits["in_a_row"]:
        return
    words = _agrees(run, table.names[0], limits)
    if words:
        yield _judge(table, ratios, words)


def _by_step(table: LayerTable) -> np.ndarray:
    """Return first over last at each step, 1 where one of them was not measured."""
    ratios = np.ones(len(table))
    ratios[np.isfinite(table.values[:, 0]) & np.isfinite(table.values[:, -1])] = depth_ratios(table)
    return ratios


def _longest(flags: np.ndarray) -> int:
    """Return the length of the longest stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return int(np.diff(edges.reshape(-1, 2), axis=1).max(initial=0))


def _agrees(run: Run, first: str, limits: Limits) -> str:
    """Return in words the second signal: the loss, or a first layer that stays behind; nothing when none agrees."""
    loss = loss_state(run)
    if loss is not None:
        return loss.bad(limits["gained"])
    table = layer_table(run, "update_ratio")
    if first not in table.names:
        return ""
    moved = dict(zip(table.names, table.medians, strict=True))
    still = moved[first] < limits["ratio"] <= moved[table.names[-1]]
    return f"a step changed the first layer by {moved[first]:.1e} of its norm" if still else ""


def _judge(table: LayerTable, ratios: np.ndarray, words: str) -> Finding:
    usual = float(np.median(ratios))
    first, last = (float(np.nanmedian(table.values[:, place])) for place in (0, -1))
    silent = last == 0 and first == 0
    summary = "no layer has any gradient" if silent else f"the first layer's gradient is {usual:.1e} of the last one's"
    return vanishing_gradient.finding(
        f"{summary}, and {words}",
        confidence=0.9,
        evidence={
            "first_over_last": usual,
            "first_layer_norm": first,
            "last_layer_norm": last,
            "layers": len(table.names),
            "measured_steps": len(table),
        },
        where=Where(layer=table.names[0], step=int(table.steps[0])),
        cause="units that are all dead or cut off from the loss"
        if silent
        else "activations or weights that shrink the gradient in every layer (sigmoids, weights too small)",
    )
