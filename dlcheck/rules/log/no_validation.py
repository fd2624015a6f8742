"""R701."""

from collections.abc import Iterator, Mapping

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.course import TRAINING, present
from dlcheck.rules.rule import Limits, Unchecked, rule
from dlcheck.runs import Run


@rule("R701", "no-validation", Severity.INFO, needs=(TRAINING,), references=("Prechelt 1998, LNCS 1524",))
def no_validation(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a log that holds nothing about validation.

    What it finds:
        A run with a training loss and neither a loss nor any other metric on validation data.
    Why it matters:
        Training loss alone cannot tell learning from learning by heart: overfitting, leaks and the best
        epoch stay invisible.
    What to do:
        Hold out part of the data and measure it after every epoch.
    Limits:
        Validation that was measured but logged elsewhere is not seen.
    Thresholds:
        None: the test is exact.
    Sources:
        Prechelt 1998, Early Stopping - But When?, LNCS 1524.
    """
    if present(run, "val_loss") or present(run, "val_metric"):
        return
    samples = run.facts.get("samples")
    if isinstance(samples, Mapping) and samples.get("val"):
        raise Unchecked("the run ended before its first validation")
    yield no_validation.finding(
        "nothing was measured on validation data",
        confidence=0.99,
        evidence={"train_metrics": ", ".join(run.metrics("train")) or None},
        cause="no validation split, or one that is not logged",
        remedies=(Remedy("hold out part of the data for validation, and log its loss every epoch"),),
    )
