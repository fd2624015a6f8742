"""G313."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.layer_table import LayerTable, weight_norms
from dlcheck.rules.loss_state import LossState, need_loss_state
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import TRAINS
from dlcheck.rules.present import present
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.statistics import tail
from dlcheck.runs import Run
from dlcheck.runs.facts import OptimizerGroup, OptimizerSettings

RESCALING = ("adam", "nadam", "radam", "adagrad", "rmsprop", "adadelta", "adamax")
"""Optimizers that rescale the gradient, with a decay that was added to it."""


@dataclass(frozen=True, slots=True)
class _Decay:
    group: OptimizerGroup
    pull: float
    """Natural logarithm of the shrinking that the decay alone would have made of the weights."""
    penalty: bool = False
    """Whether it comes from the recipe's L2 penalty, whose gradient is that of a decay, rather than the optimizer."""

    @property
    def name(self) -> str:
        """What a reader calls it."""
        return "an L2 penalty" if self.penalty else "a weight decay"


REMEDIES = (
    Prescription("take norms and biases out of the decay", {"optimizer.decay_norm_bias": False}, expects=TRAINS),
)

PENALTY = Prescription("lower the L2 penalty to 0.0001", {"regularize.l2": 0.0001}, expects=TRAINS)


@rule(
    "G313",
    "excessive-weight-decay",
    Severity.ERROR,
    needs=("optimizer_settings", "layer_weight_norm", ("train_loss", "train_eval_loss", "batch_loss")),
    thresholds={
        "pull": Threshold(1.0, "a decay that would shrink the weights to 1/e in the run rules them, not the gradient"),
        "added": Threshold(0.1, "Loshchilov & Hutter 2019: decays added to Adam's gradient are best below 0.01"),
        "shrunk": Threshold(0.7, "measured: the weights of healthy small runs end above 0.9 of their first norm"),
        "least_samples": Threshold(4, "a level at each end"),
        "gained": Threshold(0.1, "a tenth of the start: less is not worth the name of learning"),
    },
    references=(
        "Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, arXiv:1711.05101",
        "Krogh & Hertz 1992, A simple weight decay can improve generalization, NeurIPS 4",
    ),
    prescriptions=(
        Prescription(
            "lower the weight decay to 0.01 where it is decoupled, as of AdamW, else to 0.0001",
            {"optimizer.weight_decay": 0.0001},
            expects=TRAINS,
        ),
        PENALTY,
        *REMEDIES,
    ),
)
def excessive_weight_decay(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a weight decay that pulls the weights to zero faster than the gradient can build them.

    What it finds:
        Three signals that agree: a decay, or a recipe's L2 penalty, that by itself would shrink the weights to
        less than 1/e of their norm within the run, weights that did shrink, and a training loss that does not
        learn or lost what it had gained.
    Why it matters:
        A network with weights near zero answers the same to everything.
    What to do:
        Divide the weight decay by a hundred; 0.01 is usual for AdamW, 1e-4 for stochastic gradient descent.
    Limits:
        A decay that only holds the network back a little shows as underfit.
    Thresholds:
        pull: Rate times decay, summed over the steps.
        added: Decay that is added to the gradient of an optimizer that rescales it, from which it may rule.
        shrunk: Norm of all weights at the end over that at the beginning.
        least_samples: Fewer measured steps are not judged.
        gained: Share of the start that a loss which learns has gained at the end.
    Sources:
        Loshchilov & Hutter 2019, arXiv:1711.05101 (decay per step is rate times decay).
    """
    decay = _strongest(run, measured(run, OptimizerSettings), limits)
    table, norms = weight_norms(run, limits["least_samples"])
    loss = need_loss_state(run, "it suffers")
    first, last = float(norms[0]), float(np.median(tail(norms, 0.1)))
    words = loss.bad(limits["gained"])
    if decay is not None and words and not loss.nonfinite and last < limits["shrunk"] * first:
        yield _judge(run, decay, table, (first, last), loss, words)


def _strongest(run: Run, settings: OptimizerSettings, limits: Limits) -> _Decay | None:
    """Return the group whose decay pulls most, None when none pulls hard."""
    groups = [_Decay(group, _pull(group, settings.steps)) for group in settings.groups]
    groups += [_Decay(group, _pull(group, settings.steps), penalty=True) for group in _penalised(run, settings)]
    strong = [
        item
        for item in groups
        if item.pull >= limits["pull"] or (_rescaled(item.group) and item.group.weight_decay >= limits["added"])
    ]
    return max(strong, key=lambda item: item.group.parameters, default=None)


def _penalised(run: Run, settings: OptimizerSettings) -> Iterator[OptimizerGroup]:
    """Yield the groups with the recipe's L2 penalty as their decay: its gradient, l2 times the weights, is the same."""
    recipe = present(run)
    penalty = recipe.value("regularize.l2") if recipe is not None and recipe.known("regularize.l2") else None
    if isinstance(penalty, int | float) and penalty > 0:
        for group in settings.groups:
            yield replace(group, weight_decay=float(penalty), decoupled=False)


def _pull(group: OptimizerGroup, steps: int) -> float:
    pull = group.lr_highest * group.weight_decay * max(steps, 0)
    return float(pull) if np.isfinite(pull) else 0.0


def _rescaled(group: OptimizerGroup) -> bool:
    return not group.decoupled and group.optimizer.lower() in RESCALING


def _judge(
    run: Run, decay: _Decay, table: LayerTable, norms: tuple[float, float], loss: LossState, words: str
) -> Finding:
    first, last = norms
    group = decay.group
    usual = 0.01 if group.decoupled else 1e-4
    return excessive_weight_decay.finding(
        f"{decay.name} of {group.weight_decay:g} shrank the weights from {first:.3g} to {last:.3g}, and {words}",
        confidence=0.92,
        evidence={
            "weight_decay": group.weight_decay,
            "highest_rate": group.lr_highest,
            "decay_per_step": group.lr_highest * group.weight_decay,
            "first_norm": first,
            "last_norm": last,
            "end_loss": loss.end,
        },
        where=Where(step=int(table.steps[-1])),
        cause="a decay that is stronger than the gradient",
        remedies=prescribed(run, PENALTY)
        if decay.penalty
        else (
            patched(run, f"lower the weight decay to {usual:g}", {"optimizer.weight_decay": usual}),
            *prescribed(run, *REMEDIES),
        ),
    )
