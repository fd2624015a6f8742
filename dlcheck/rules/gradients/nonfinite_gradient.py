"""G301."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.gradients.nonfinite_place import described, evidence, module_name, where
from dlcheck.rules.prescription import prescribed
from dlcheck.rules.prescriptions import CLIP, FULL_PRECISION, rate
from dlcheck.rules.rule import Limits, measured, rule
from dlcheck.runs import Run
from dlcheck.runs.facts import NonFinite

REMEDIES = (rate(0.1), CLIP, FULL_PRECISION)


@rule(
    "G301",
    "nonfinite-gradient",
    Severity.ERROR,
    needs=("nonfinite",),
    references=(
        "Goodfellow, Bengio & Courville 2016, Deep Learning, chapters 8 and 10",
        "Micikevicius et al. 2018, Mixed Precision Training, arXiv:1710.03740",
    ),
    prescriptions=REMEDIES,
)
def nonfinite_gradient(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find the first number inside a training step that is none.

    What it finds:
        A gradient, activation, weight or loss that turned NaN or infinite during a step, with the step, the
        first module whose output was not finite though its input was, the operation, and the rows of the
        batch. Steps that a gradient scaler skipped are expected and left out. Where the operation is one that
        is not defined for its numbers (the logarithm of 0), undefined-arithmetic says so instead.
    Why it matters:
        A step with such a gradient makes the weights NaN, and they stay so.
    What to do:
        What overflowed grew: lower the learning rate, warm it up, or clip the gradient. In half precision use
        a loss scaler or bfloat16. Look at the rows of the batch that are named.
    Limits:
        Without a replay of the step the module and the operation are not known. What was not finite before
        the step (inputs, weights) is told, but not where it came from.
    Thresholds:
        None: the test is exact.
    Sources:
        Goodfellow, Bengio & Courville 2016, Deep Learning, chapters 8 and 10; Micikevicius et al. 2018,
        arXiv:1710.03740 (half precision).
    """
    found = measured(run, NonFinite)
    if found.skipped_by_scaler or found.undefined:
        return
    yield nonfinite_gradient.finding(
        _summary(found),
        confidence=0.97 if found.reproduced else 0.93,
        evidence=evidence(found),
        where=where(found),
        cause=_cause(found),
        remedies=_remedies(run, found),
    )


def _summary(found: NonFinite) -> str:
    kind = found.kind or "value"
    finite = ", though the loss was finite" if found.kind == "gradient" and evidence(found)["loss"] is not None else ""
    return f"the first non-finite {kind} came at step {found.step}{finite}{described(found)}"


def _cause(found: NonFinite) -> str:
    if found.input_nonfinite:
        return "the batch itself held values that are not finite"
    if found.weight_nonfinite:
        return "weights were not finite before this step already: an earlier step broke them"
    if found.overflow:
        return f"numbers too large for their type{_of(found)}"
    return f"a computation{_of(found)} whose result or derivative is not finite"


def _of(found: NonFinite) -> str:
    return f" in {module_name(found)}" if found.module else ""


def _remedies(run: Run, found: NonFinite) -> tuple[Remedy, ...]:
    if found.input_nonfinite:
        return (Remedy("find and mend the samples that are not finite, or leave them out"),)
    calm = prescribed(run, *REMEDIES)
    keep = Remedy("keep the arguments of exponentials, divisions, roots and logarithms away from what overflows")
    return (*calm, keep) if found.overflow or found.weight_nonfinite else (keep, *calm)
