"""M201."""

import math
from collections.abc import Iterator
from dataclasses import replace

from dlcheck.findings import Effect, Finding, Remedy, Severity, Where
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import DEFAULT_INIT, SCALE
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite
from dlcheck.rules.statistics import all_finite
from dlcheck.runs import Run
from dlcheck.runs.facts import FirstLoss

ENTROPIES = ("cross_entropy", "nll_loss", "nll", "bce", "binary_cross_entropy")
"""Losses in nats; names may go on (``binary_cross_entropy_with_logits``)."""


REMEDIES = (
    replace(SCALE, text="scale the inputs to unit spread"),
    Prescription(
        "initialise with a variance of 1 / inputs", {"init.name": "lecun"}, expects=(Effect("initial_loss", "falls"),)
    ),
    DEFAULT_INIT,
    Prescription("make the last layer's weights ten times smaller, and begin its bias at the classes' log-odds"),
)


@rule(
    "M201",
    "unexpected-initial-loss",
    Severity.WARNING,
    needs=("first_loss",),
    thresholds={
        "note": Threshold(1.3, "measured on 199 healthy small runs: at most 1.073 with default initialisation"),
        "ratio": Threshold(2.0, "answers of variance 2 (He et al. 2015 in the last layer too) begin at up to 1.6"),
        "difference": Threshold(0.3, "nats; a smaller excess is unlearned within a few steps"),
        "errors": Threshold(4.0, "standard errors: once in 30,000 by chance"),
        "rows": Threshold(64, "of fewer samples a loss could be divided for accumulation by as many steps"),
        "divided": Threshold(1.35, "a first loss is within a third of the expected one (1.073 at most, see note)"),
        "square_note": Threshold(3.0, "for squared errors: answers of variance 2 beside a target of variance 1"),
        "square_ratio": Threshold(10.0, "the same, with a factor of three for other initialisations"),
    },
    references=("Karpathy 2019, A Recipe for Training Neural Networks (verify loss at init)",),
    prescriptions=REMEDIES,
)
def unexpected_initial_loss(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a loss before the first step far above that of an untrained network.

    What it finds:
        A first loss that exceeds what a network without knowledge has (ln C for C even classes, the variance
        of the target, …) by ratio, by absolute difference and beyond its standard error. A first loss below
        it is information: divided for accumulation on purpose, or a network that knows the answer. Where it is
        the expected one divided by the number of training samples, it was divided once too often: a warning,
        unless the optimizer divides the scale away.
    Why it matters:
        Answers begin sure and wrong: initial weights or inputs far too large, a loss that is summed where a
        mean was meant, labels that do not fit the outputs. The first steps are spent on undoing it.
    What to do:
        Scale inputs, initialise with a variance of 1 / inputs, make the last layer small, use the mean.
    Limits:
        Loaded weights are not judged: another loss may be meant. Losses of one's own with further terms begin
        where they like; where the expected loss is not known, nothing is.
    Thresholds:
        note: Loss over the expected one, for information.
        ratio: The same for a warning.
        difference: Loss above the expected one that an entropy must exceed as well.
        errors: The difference in standard errors.
        rows: Training samples, at least, by which a loss may have been divided by mistake.
        divided: Factor within which a divided loss, times their number, is the expected one.
        square_note: As note, for losses other than entropies.
        square_ratio: As ratio, for losses other than entropies.
    Sources:
        Karpathy 2019, A Recipe for Training Neural Networks; He et al. 2015, arXiv:1502.01852.
    """
    seen = measured(run, FirstLoss)
    if seen.pretrained:
        raise Unchecked("weights were loaded, so another first loss may be meant")
    if not all_finite(seen.loss, seen.expected) or seen.expected <= 0:
        raise Unchecked("the first loss or the expected one is no positive finite number")
    difference = seen.loss - seen.expected
    if abs(difference) <= limits["errors"] * _error(seen):
        return
    note, ratio = ("note", "ratio") if _entropy(seen) else ("square_note", "square_ratio")
    if difference > 0 and seen.loss > limits[note] * seen.expected:
        large = not _entropy(seen) or difference > limits["difference"]
        yield _above(run, seen, Severity.WARNING if large and seen.loss > limits[ratio] * seen.expected else None)
    elif difference < 0 and _divided(seen, limits):
        yield _below(seen, divided=True)
    elif difference < 0 and seen.loss * limits[note] < _least(seen):
        yield _below(seen, divided=False)


def _divided(seen: FirstLoss, limits: Limits) -> bool:
    """Return whether the loss is the mean of all samples, divided by their number."""
    whole = seen.loss * seen.rows / seen.expected
    return seen.rows >= limits["rows"] and 1 / limits["divided"] < whole < limits["divided"]


def _entropy(seen: FirstLoss) -> bool:
    return seen.kind.startswith(ENTROPIES)


def _least(seen: FirstLoss) -> float:
    """Return the least loss of a network without knowledge: that of the best constant answer."""
    best = seen.best_constant
    return min(best, seen.expected) if best is not None and all_finite(best) else seen.expected


def _error(seen: FirstLoss) -> float:
    """Return the standard error; where it was not measured, as if losses of samples spread by half their mean."""
    if all_finite(seen.spread) and seen.spread > 0:
        return seen.spread
    return 0.5 * abs(seen.loss) / math.sqrt(seen.samples) if seen.samples > 0 else 0.0


def _above(run: Run, seen: FirstLoss, severity: Severity | None) -> Finding:
    summed = seen.samples > 1 and 0.5 < seen.loss / seen.expected / seen.samples < 2
    remedies = prescribed(run, *REMEDIES)
    return unexpected_initial_loss.finding(
        f"the loss before the first step is {seen.loss:.4g}, {seen.loss / seen.expected:.3g} times the "
        f"{seen.expected:.4g} of an untrained network",
        severity=severity or Severity.INFO,
        confidence=0.9 if severity else 0.6,
        evidence=_evidence(seen),
        where=Where(metric="loss", step=0),
        cause="a loss that is summed over the batch instead of averaged"
        if summed
        else "initial weights or inputs that are too large, so that answers begin sure and wrong",
        remedies=(Remedy('average the loss over the batch (reduction="mean")'), *remedies) if summed else remedies,
    )


def _below(seen: FirstLoss, *, divided: bool) -> Finding:
    if not divided:
        words = f"below the {_least(seen):.4g} that a network without knowledge can reach"
        cause = "a loss that is divided (for accumulation), weights that know the data, or inputs that tell the label"
        remedies = (Remedy("if neither is meant, look for the label among the inputs"),)
    else:
        words = f"the {seen.expected:.4g} of an untrained network divided by the {seen.rows} training samples"
        cause = "a mean that is divided by the number of samples once more, which makes every step as much smaller"
        remedies = (Remedy("take the mean once: leave out the division, or use reduction='sum' before it"),)
    return unexpected_initial_loss.finding(
        f"the loss before the first step is {seen.loss:.4g}, {words}",
        severity=Severity.WARNING if divided and not seen.rescaled else Severity.INFO,
        confidence=0.9 if divided else 0.6,
        evidence=_evidence(seen),
        where=Where(metric="loss", step=0),
        cause=cause,
        remedies=remedies,
    )


def _evidence(seen: FirstLoss) -> dict[str, float | int | str | None]:
    return {
        "loss": seen.loss,
        "expected": seen.expected,
        "ratio": finite(seen.loss / seen.expected),
        "standard_error": finite(_error(seen)),
        "best_constant": finite(seen.best_constant),
        "largest_output": finite(seen.largest_logit),
        "samples": seen.samples,
        "kind": seen.kind or None,
    }
