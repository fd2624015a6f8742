"""G310."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Effect, Finding, Severity, Where
from dlcheck.rules.layer_table import SMALLEST, LayerTable, weight_norms
from dlcheck.rules.loss_state import need_loss_state
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import CLIP, rate
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.rules.statistics import tail, trend
from dlcheck.runs import Run


@rule(
    "G310",
    "weight-blowup",
    Severity.WARNING,
    needs=("layer_weight_norm", ("train_loss", "train_eval_loss", "batch_loss")),
    thresholds={
        "growth": Threshold(10.0, "Ben Braiek & Khomh 2023 (TheDeepChecker) take 2 between looks; a run needs more"),
        "least_samples": Threshold(6, "a trend of the second half, and a level at each end"),
        "level": Threshold(0.01, "one-sided level of the trend in the second half"),
        "gained": Threshold(0.1, "a tenth of the start: less is not worth the name of learning"),
    },
    references=(
        "Ben Braiek & Khomh 2023, Testing Feedforward Neural Networks Training Programs, TOSEM 32(4)",
        "Salimans & Kingma 2016, Weight Normalization, arXiv:1602.07868",
    ),
    prescriptions=(
        rate(0.1),
        CLIP,
        Prescription(
            "let the weights decay a little",
            {"optimizer.weight_decay": 0.01},
            unless=("optimizer.weight_decay", "regularize.l2"),
            expects=(Effect("layer_weight_norm", "falls"),),
        ),
    ),
)
def weight_blowup(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find weights that grow and grow while the loss gets worse.

    What it finds:
        Two signals that agree: the norm of all weights together has grown tenfold over the run and still
        rises, and the training loss is not finite, rises, lost what it had gained, or never learns.
    Why it matters:
        Large weights make outputs and gradients large; the run drifts towards infinity.
    What to do:
        Lower the learning rate, clip the gradient, and add a weight decay. Check that the loss has a lowest
        value at all: a flipped sign has none.
    Limits:
        Weights that grow while the loss falls are usual (classes that can be told apart push them up), and are
        not found.
    Thresholds:
        growth: Norm of all weights at the end over that at the beginning.
        least_samples: Fewer measured steps are not judged.
        level: One-sided significance level of the rise in the second half.
        gained: Share of the start that a loss which learns has gained at the end.
    Sources:
        Ben Braiek & Khomh 2023, TOSEM 32(4) (diverging weights).
    """
    table, norms = weight_norms(run, limits["least_samples"])
    loss = need_loss_state(run, "it suffers")
    first, last = float(norms[0]), float(np.median(tail(norms, 0.1)))
    half = len(norms) // 2
    grown = first > 0 and last > limits["growth"] * first
    if (
        grown
        and trend(table.steps[half:], norms[half:]).rises(limits["level"])
        and (words := loss.bad(limits["gained"]))
    ):
        yield _judge(run, table, (first, last), words)


def _judge(run: Run, table: LayerTable, norms: tuple[float, float], words: str) -> Finding:
    first, last = norms
    growth = table.values[-1] / np.maximum(table.values[0], SMALLEST)
    most = int(np.argmax(np.where(np.isfinite(growth), growth, 0.0)))
    return weight_blowup.finding(
        f"the norm of the weights grew from {first:.3g} to {last:.3g} and still rises, and {words}",
        confidence=0.9,
        evidence={"first_norm": first, "last_norm": last, "growth": min(last / first, 1e300)},
        where=Where(layer=table.names[most], step=int(table.steps[-1])),
        cause="steps that are too long, or a loss without a lowest value",
    )
