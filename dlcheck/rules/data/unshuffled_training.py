"""D109."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Severity
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import TRAINS
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import at, finite, site_where
from dlcheck.rules.statistics import all_finite
from dlcheck.runs import Run
from dlcheck.runs.facts import LabelOrder


@rule(
    "D109",
    "unshuffled-training",
    Severity.WARNING,
    needs=("label_order",),
    thresholds={
        "p": Threshold(1e-4, "one random order in ten thousand has so few runs (Wald & Wolfowitz 1940)"),
        "z": Threshold(-4.0, "the same in standard deviations"),
        "runs": Threshold(0.8, "a fifth fewer runs than at random; fewer are significant in long epochs, and no harm"),
        "diversity": Threshold(0.9, "batches as varied as random ones do no harm, whatever their order"),
    },
    references=("Wald & Wolfowitz 1940, Ann. Math. Stat. 11(2)", "Bengio 2012, arXiv:1206.5533"),
    prescriptions=(
        Prescription("shuffle the training samples each epoch (shuffle=True)", {"data.shuffle": True}, expects=TRAINS),
        Prescription("with an iterable data set, shuffle the files and a buffer of samples"),
    ),
)
def unshuffled_training(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find training samples that come sorted by their labels, epoch after epoch.

    What it finds:
        Far fewer changes between labels than a random order has (the runs test), together with a loader that
        does not shuffle or a second epoch in the same order.
    Why it matters:
        Each batch pulls towards the classes that it holds, and undoes what the batch before it learned.
    What to do:
        Shuffle the training samples anew each epoch.
    Limits:
        Pieces of one series or text may be meant to come in order, and batches as varied as random ones do
        no harm: both are clean, as is a loader that draws at random in a way of its own. When only one epoch
        of an unknown loader was seen, the finding is for information.
    Thresholds:
        p: One-sided p-value of the runs test.
        z: The same in standard deviations.
        runs: Runs over those of a random order.
        diversity: Distinct labels in a batch over those expected at random.
    Sources:
        Wald & Wolfowitz 1940, Ann. Math. Stat. 11(2); Bengio 2012, arXiv:1206.5533 (shuffling).
    """
    seen = measured(run, LabelOrder)
    if not all_finite(seen.z, seen.p, seen.expected_runs) or seen.labels < 2 or seen.expected_runs <= 0:
        raise Unchecked("the order of the labels tells nothing: too few, or all alike")
    if seen.sequence or seen.shuffled is True or seen.same_order is False:
        return
    if _sorted(seen, limits) and not _varied(seen, limits):
        yield _judge(run, seen)


def _sorted(seen: LabelOrder, limits: Limits) -> bool:
    few = seen.runs < limits["runs"] * seen.expected_runs
    return few and seen.z <= limits["z"] and seen.p <= limits["p"]


def _varied(seen: LabelOrder, limits: Limits) -> bool:
    return seen.batch_diversity is not None and seen.batch_diversity >= limits["diversity"]


def _judge(run: Run, seen: LabelOrder) -> Finding:
    proven = seen.same_order is True or seen.shuffled is False
    how = "and the loader does not shuffle" if seen.shuffled is False else "in the same order each epoch"
    return unshuffled_training.finding(
        f"training samples come sorted by label: {seen.runs} runs of equal labels where a random order has "
        f"{seen.expected_runs:.0f}{f', {how}' if proven else ''}{at(seen.site)}",
        severity=Severity.WARNING if proven else Severity.INFO,
        confidence=0.95 if proven else 0.6,
        evidence={
            "runs": seen.runs,
            "expected_runs": seen.expected_runs,
            "z": seen.z,
            "labels": seen.labels,
            "batch_diversity": finite(seen.batch_diversity),
        },
        where=site_where(seen.site),
        cause="samples stored class by class, and a loader that takes them as they lie",
    )
