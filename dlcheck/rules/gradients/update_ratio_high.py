"""G304."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.layer_table import (
    LONG_STEP,
    LayerTable,
    first_ratios,
    layer_table,
    settled,
    started_at_zero,
    without,
)
from dlcheck.rules.loss_state import LossState, need_loss_state
from dlcheck.rules.prescriptions import CLIP, WARM_UP, rate
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.runs import Run


@dataclass(frozen=True, slots=True)
class _Steps:
    """Relative steps of the layers, at the start or later."""

    early: bool
    table: LayerTable
    medians: np.ndarray
    high: np.ndarray
    """Which layers stepped too far."""

    @property
    def worst(self) -> int:
        return int(np.argmax(self.medians))


@rule(
    "G304",
    "update-ratio-high",
    Severity.ERROR,
    needs=("layer_update_ratio", ("train_loss", "train_eval_loss", "batch_loss")),
    thresholds={
        "ratio": Threshold(0.1, "measured: 99 % of steps of 199 healthy small runs below 0.04; CS231n: about 1e-3"),
        "early_ratio": Threshold(
            LONG_STEP, "measured: 99 % of first steps of Adam on 199 healthy small runs below 0.054"
        ),
        "share": Threshold(0.5, "the majority, since single layers that start at 0 or have few weights step far"),
        "least_samples": Threshold(3, "enough for a median that one strange step does not move"),
        "gained": Threshold(0.1, "a tenth of the start: less is not worth the name of learning"),
    },
    references=(
        "Karpathy, Li & Johnson, CS231n: Neural Networks Part 3 (ratio of weights to updates)",
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
    ),
    prescriptions=(rate(0.1), WARM_UP, CLIP),
)
def update_ratio_high(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find steps so long that most layers are rewritten by each of them, with a loss that suffers.

    What it finds:
        Two signals that agree: in most layers a usual step changes the weights by more than a tenth of their
        norm (or by more than a fifth in the first steps, after which dead units can hide it), and the training
        loss is not finite, ends above its start, lost what it had gained, never left its start, or leapt to several
        times its start at once and is not over it.
    Why it matters:
        A healthy step changes a layer by about a thousandth. Longer ones jump over what they should descend
        into, kill rectified units for good, and end in NaN or at the level of a constant answer.
    What to do:
        Divide the learning rate by three to ten, or measure the best one with a learning-rate range test. A
        warm-up helps where only the first steps are too long.
    Limits:
        Layers whose weights started near 0 are left out. A run that learns well with
        such steps (a convex loss, a tiny network) is not found.
    Thresholds:
        ratio: Median over the run of |Δw| / |w| of one layer.
        early_ratio: The same in the first 10 steps.
        share: Share of the layers that must be above it.
        least_samples: Fewer measured steps are not judged.
        gained: Share of the start that a loss which learns has gained at the end.
    Sources:
        Karpathy, Li & Johnson, CS231n, Neural Networks Part 3; Godbole et al. 2023, Deep Learning Tuning
        Playbook.
    """
    loss = need_loss_state(run, "such steps hurt")
    found = _early(run, limits) or _late(run, limits)
    words = loss.bad(limits["gained"])
    if found is not None and found.early and not words and loss.leapt:
        words = f"{loss.course.name} leapt far above the {loss.start:.3g} of its start at once"
    if found is not None and words:
        yield _judge(run, found, loss, words)


def _late(run: Run, limits: Limits) -> _Steps | None:
    ratios = without(layer_table(run, "update_ratio"), started_at_zero(run))
    table = settled(run, ratios, int(limits["least_samples"]))
    return _steps(table, limits["ratio"], limits["share"], early=False)


def _early(run: Run, limits: Limits) -> _Steps | None:
    return _steps(first_ratios(run), limits["early_ratio"], limits["share"], early=True)


def _steps(table: LayerTable, ratio: float, share: float, *, early: bool) -> _Steps | None:
    if not table.names:
        return None
    medians = table.medians
    high = medians > ratio
    return _Steps(early, table, medians, high) if high.mean() > share else None


def _judge(run: Run, found: _Steps, loss: LossState, words: str) -> Finding:
    worst, count = found.worst, len(found.medians)
    when = "in the first steps" if found.early else "in a usual step"
    usual = float(np.median(found.medians))
    return update_ratio_high.finding(
        f"{int(found.high.sum())} of {count} layers changed by more than {found.medians[found.high].min():.2g} of "
        f"their norm {when} (half of all by {usual:.2g}), and {words}",
        confidence=0.93,
        evidence={
            "median_update_ratio": usual,
            "highest_update_ratio": float(found.medians[worst]),
            "layers": count,
            "layers_above": int(found.high.sum()),
            "start_loss": loss.start,
            "end_loss": loss.end,
        },
        where=Where(layer=found.table.names[worst], step=int(found.table.steps[0])),
        cause="a learning rate far too high for these weights",
    )
