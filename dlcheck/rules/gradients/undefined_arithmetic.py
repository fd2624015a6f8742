"""G317."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.gradients.nonfinite_place import described, evidence, where
from dlcheck.rules.rule import Limits, measured, rule
from dlcheck.runs import Run
from dlcheck.runs.facts import NonFinite

MENDS = (
    (
        "log",
        "add a small number inside the logarithm (log(x + 1e-8)), or use log_softmax, logsigmoid or a loss of logits",
    ),
    ("root", "add a small number inside the square root (sqrt(x + 1e-8)): its derivative at 0 is infinite"),
    ("masked", "leave at least one position of every row unmasked, or skip the rows that have none"),
    ("norm", "add a small number to the norm, or use normalize(x, eps=1e-8): a zero vector has no direction"),
    ("/0", "add a small number to the divisor, or leave out groups that are empty"),
    ("divi", "add a small number to the divisor, or leave out groups that are empty"),
)
"""Words in what was undefined, and the remedy; the first that fits."""


@rule(
    "G317",
    "undefined-arithmetic",
    Severity.ERROR,
    needs=("nonfinite",),
    references=(
        "Goodfellow, Bengio & Courville 2016, Deep Learning, section 4.1",
        "PyTorch, Autograd mechanics (gradients for non-differentiable functions)",
    ),
)
def undefined_arithmetic(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find an operation that is not defined for the finite numbers it was given.

    What it finds:
        The first non-finite number of a training step, made of finite ones by an operation that has no value
        or no derivative there: the logarithm of 0, a square root at 0 (whose derivative is infinite), 0/0, the
        norm of a zero vector, a softmax over a row that is masked everywhere. It names the operation, the
        module, the rows of the batch with the numbers that went in, and the line of the code.
    Why it matters:
        No learning rate mends it: the same batch brings it back, and one such step makes all weights NaN.
    What to do:
        Keep the argument away from the place, as the remedy says, or use PyTorch's fused function.
    Limits:
        Only what a replay of the step under detection could name. What grew until it overflowed is
        nonfinite-gradient.
    Thresholds:
        None: the test is exact.
    Sources:
        Goodfellow, Bengio & Courville 2016, Deep Learning, section 4.1 (overflow and underflow).
    """
    found = measured(run, NonFinite)
    if found.skipped_by_scaler or not found.undefined:
        return
    yield undefined_arithmetic.finding(
        f"{found.undefined} at step {found.step}{described(found)}",
        confidence=0.98 if found.reproduced else 0.93,
        evidence=evidence(found) | {"undefined": found.undefined},
        where=where(found),
        cause=f"{found.undefined}: the operation has no finite value or derivative there",
        remedies=_remedies(found),
    )


def _remedies(found: NonFinite) -> tuple[Remedy, ...]:
    words = f"{found.undefined} {found.operation}"
    fitting = [text for word, text in MENDS if word in words]
    chosen = fitting[:1] or ["keep the argument of the operation away from where it is not defined"]
    return (*(Remedy(text) for text in chosen), Remedy("look at the rows of the batch that are named"))
