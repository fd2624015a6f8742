"""G305."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.layer_table import LayerTable, layer_table, settled, started_at_zero, without
from dlcheck.rules.loss_state import LossState, need_loss_state
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import rate
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.runs import Run
from dlcheck.runs.facts import DepthSpread, FirstLoss, fact


@rule(
    "G305",
    "update-ratio-low",
    Severity.WARNING,
    needs=("layer_update_ratio", ("train_loss", "train_eval_loss", "batch_loss")),
    thresholds={
        "ratio": Threshold(1e-5, "measured: 99 % of steps of 199 healthy small runs above 8e-5; CS231n: about 1e-3"),
        "share": Threshold(0.5, "the majority: a table of embeddings or an idle part may well move little"),
        "least_samples": Threshold(3, "enough for a median that one strange step does not move"),
        "gained": Threshold(0.25, "a quarter of the loss: a run that gains more is merely not finished"),
    },
    references=(
        "Karpathy, Li & Johnson, CS231n: Neural Networks Part 3 (ratio of weights to updates)",
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
    ),
    prescriptions=(
        rate(100.0),
        Prescription("measure the best rate with a learning-rate range test"),
        Prescription("check that a schedule or a warm-up does not hold the rate down"),
    ),
)
def update_ratio_low(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find steps so short that the weights hardly move, with a loss that has far to go.

    What it finds:
        Two signals that agree: in most layers that move at all a usual step changes the weights by less than a
        hundred-thousandth of their norm, while the rate is near its highest; and the training loss has hardly
        left its start.
    Why it matters:
        At such steps it takes hundreds of thousands of them to change a layer: the run looks like a network
        that cannot learn.
    What to do:
        Raise the rate tenfold, or measure the best one with a learning-rate range test.
    Limits:
        Weights that never move are the matter of weights-not-updating. Networks that came with trained weights
        are not judged: short steps are meant there. Where no loss is known to compare with, it is only
        mentioned.
    Thresholds:
        ratio: Median over the run of |Δw| / |w| of one layer.
        share: Share of the moving layers that must be below it.
        least_samples: Fewer measured steps are not judged.
        gained: Share of its start that a loss which learns has gained at the end.
    Sources:
        Karpathy, Li & Johnson, CS231n, Neural Networks Part 3; Godbole et al. 2023, Deep Learning Tuning
        Playbook.
    """
    loss = need_loss_state(run, "it has far to go")
    if pretrained(run):
        raise Unchecked("the network came with trained weights, for which short steps are meant")
    table = settled(run, without(layer_table(run, "update_ratio"), started_at_zero(run)), int(limits["least_samples"]))
    medians = table.medians
    moving = medians > 0
    low = moving & (medians < limits["ratio"])
    if low.sum() > limits["share"] * moving.sum() and loss.stuck(limits["gained"]) and not loss.nonfinite:
        yield _judge(run, table, loss, low)


def pretrained(run: Run) -> bool:
    """Return whether an exam or a monitor saw trained weights being loaded."""
    found = (fact(run, FirstLoss), fact(run, DepthSpread))
    return any(item is not None and item.pretrained for item in found)


def _judge(run: Run, table: LayerTable, loss: LossState, low: np.ndarray) -> Finding:
    medians = table.medians
    usual = float(np.median(medians[medians > 0]))
    lowest = int(np.argmin(np.where(medians > 0, medians, np.inf)))
    return update_ratio_low.finding(
        f"a usual step changed the weights by {usual:.1e} of their norm ({int(low.sum())} of {len(medians)} layers), "
        f"and {loss.course.name} only came from {loss.start:.4g} to {loss.end:.4g}",
        severity=Severity.WARNING if loss.known else Severity.INFO,
        confidence=0.93 if loss.known else 0.7,
        evidence={
            "median_update_ratio": usual,
            "lowest_update_ratio": float(medians[lowest]),
            "layers": len(medians),
            "layers_below": int(low.sum()),
            "start_loss": loss.start,
            "end_loss": loss.end,
        },
        where=Where(layer=table.names[lowest], step=int(table.steps[0])),
        cause="a learning rate far too low for these weights",
    )
