"""M209."""

from collections.abc import Iterator
from dataclasses import dataclass

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.prescription import prescribed
from dlcheck.rules.prescriptions import DEFAULT_INIT, NO_DROPOUT, SCALE, WIDER, rate
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite
from dlcheck.runs import Run
from dlcheck.runs.facts import OverfitBatch


@dataclass(frozen=True, slots=True)
class _Shape:
    """How the loss of the batch went, and what that speaks for."""

    words: str
    cause: str
    remedies: tuple[str, ...]
    severity: Severity
    confidence: float


SHAPES = {
    "rises": _Shape(
        "the loss rises",
        "a flipped sign in the loss, the target or the update",
        (
            "look for a sign: -loss, maximize=True, an added instead of a subtracted gradient",
            "check what the loss expects: logits, log-probabilities or probabilities",
        ),
        Severity.ERROR,
        0.9,
    ),
    "explodes": _Shape(
        "the loss explodes at every rate tried",
        "arithmetic that overflows (exp, a division, log 0), inputs of a large scale, or a far too large rate",
        (
            "scale the inputs to mean 0 and deviation 1",
            "look for exp, log and divisions in the network and the loss, and keep them away from their limits",
        ),
        Severity.ERROR,
        0.75,
    ),
    "oscillates": _Shape(
        "the loss oscillates at every rate tried",
        "samples whose labels contradict each other or change from reading to reading, or a rate too large",
        (
            "check that inputs and labels of the batch belong together, and stay the same when read again",
            "lower the learning rate",
        ),
        Severity.WARNING,
        0.75,
    ),
    "flat": _Shape(
        "the loss does not move",
        "no gradient arrives: dead or frozen units, a detached graph, inputs that are ignored, equal weights",
        (
            "look at M202, M204, M207 and M214: symmetric weights, dead units, untrained parameters, ignored inputs",
            "check that the loss is that of the network's output and of this batch's targets",
        ),
        Severity.ERROR,
        0.85,
    ),
    "slow": _Shape(
        "the loss still fell when the steps ran out",
        "a network that learns slowly rather than not at all",
        ("raise the learning rate", "allow the exam more steps"),
        Severity.INFO,
        0.7,
    ),
    "stuck": _Shape(
        "the loss fell, but not to the end",
        "a network too small to learn the batch by heart, as a linear one is, or a regulariser left on",
        ("give the network more units or layers", "take what regularises away: dropout, weight decay, noise"),
        Severity.INFO,
        0.6,
    ),
}


CURES = {
    "rises": (rate(0.1),),
    "explodes": (SCALE, rate(0.1)),
    "oscillates": (rate(0.1),),
    "flat": (DEFAULT_INIT, rate(10.0)),
    "slow": (rate(10.0),),
    "stuck": (NO_DROPOUT, WIDER, rate(3.0)),
}
"""By shape."""


@rule(
    "M209",
    "cannot-overfit-batch",
    Severity.ERROR,
    needs=("overfit_batch",),
    thresholds={
        "floor": Threshold(1.1, "a tenth above what contradicting labels leave at best counts as reached"),
        "lost": Threshold(0.3, "a linear network gets stuck lower on inputs of as many columns as samples"),
        "wrong": Threshold(0.75, "a quarter of so few samples that no step can mend"),
        "hardly": Threshold(0.9, "a small network learns at least a tenth of a batch; below, it is as good as flat"),
    },
    references=(
        "Karpathy 2019, A Recipe for Training Neural Networks (overfit one batch)",
        "Tobin 2021, Full Stack Deep Learning, lecture 7 (rises, explodes, oscillates, stays flat)",
        "CS231n, Neural Networks 3 (overfit a tiny subset of the data)",
    ),
    prescriptions=(SCALE, DEFAULT_INIT, rate(0.1), rate(10.0), NO_DROPOUT, WIDER),
)
def cannot_overfit_batch(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a network that cannot learn one small batch by heart, and read why from the shape of its loss.

    What it finds:
        An experiment: a few samples, hundreds of steps, several rates, augmentation, dropout and weight decay
        off. A loss that rises speaks for a flipped sign, one that explodes for the numbers or the rate, one
        that oscillates for the labels or the rate, a flat one for dead, frozen or ignored parts.
    Why it matters:
        What cannot learn 16 samples will not learn the data. It takes seconds to see, and hours to see later.
    What to do:
        Follow the shape. Mend this before anything else is tuned: no rate or regulariser helps before.
    Limits:
        Equal inputs with different labels are allowed for. A network that is too small on purpose (a linear
        one) gets stuck, and one that is slow is still falling: both are told as information.
    Thresholds:
        floor: Loss relative to the best that contradicting labels allow that counts as learned.
        lost: Best loss of a stuck network, relative to the first, from which it is a warning, if
        wrong: its share of right answers stays below this.
        hardly: Best loss of a stuck network, relative to the first, from which it is a warning.
    Sources:
        Karpathy 2019; Tobin 2021, Full Stack Deep Learning, lecture 7; CS231n, Neural Networks 3.
    """
    seen = measured(run, OverfitBatch)
    if seen.solved or _all_that_conflicts_leave(seen, limits):
        return
    if seen.shape not in SHAPES:
        raise Unchecked(f"the batch's loss has a shape that is not known: {seen.shape}", "dlcheck check RECIPE")
    if seen.shape in ("slow", "stuck") and seen.steps < seen.budget:
        raise Unchecked(f"time ran out after {seen.steps} of {seen.budget} steps", "dlcheck check RECIPE")
    yield _judge(run, seen, limits)


def _all_that_conflicts_leave(seen: OverfitBatch, limits: Limits) -> bool:
    return seen.conflicting > 0 and seen.best_loss <= limits["floor"] * seen.floor + seen.target_loss


def _hardly(seen: OverfitBatch, limits: Limits) -> bool:
    """Return whether next to nothing of the batch was learned, or its classes cannot be told apart."""
    left = seen.best_loss / seen.first_loss
    apart = seen.score is not None and seen.score < limits["wrong"]
    return left > limits["hardly"] or (apart and left > limits["lost"])


def _judge(run: Run, seen: OverfitBatch, limits: Limits) -> Finding:
    shape = SHAPES[seen.shape]
    hardly = seen.shape == "stuck" and seen.first_loss > 0 and _hardly(seen, limits)
    return cannot_overfit_batch.finding(
        f"{seen.samples} samples cannot be learned by heart in {seen.steps} steps: {shape.words}, "
        f"from {seen.first_loss:.3g} to {seen.last_loss:.3g}",
        severity=Severity.WARNING if hardly else shape.severity,
        confidence=shape.confidence,
        evidence={
            "samples": seen.samples,
            "steps": seen.steps,
            "first_loss": finite(seen.first_loss),
            "last_loss": finite(seen.last_loss),
            "best_loss": finite(seen.best_loss),
            "target_loss": finite(seen.target_loss),
            "score": finite(seen.score),
            "shape": seen.shape,
            "lr": finite(seen.lr),
            "contradicting_samples": seen.conflicting,
        },
        cause=shape.cause,
        remedies=_remedies(run, seen, shape),
    )


def _remedies(run: Run, seen: OverfitBatch, shape: _Shape) -> tuple[Remedy, ...]:
    words = tuple(Remedy(text) for text in shape.remedies)
    return (*words, *prescribed(run, *CURES.get(seen.shape, ())))
