"""D105."""

from collections.abc import Iterator
from dataclasses import dataclass

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import GENERALISES
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import listed
from dlcheck.rules.statistics import wilson_interval
from dlcheck.runs import Run
from dlcheck.runs.facts import ClassBalance

WEIGHTS = Prescription(
    "weigh the classes by how rare they are",
    {"loss.class_weights": "balanced"},
    unless=("loss.class_weights",),
    only_if={"loss.name": ("auto", "cross_entropy", "bce")},
    expects=GENERALISES,
)


@rule(
    "D105",
    "class-imbalance",
    Severity.INFO,
    needs=("class_balance",),
    thresholds={
        "ratio": Threshold(10.0, "Amazon SageMaker Debugger, rule ClassImbalance: ten times as many samples"),
        "least_samples": Threshold(10, "with 10 samples and none right the recall is below 0.28 (Wilson 1927)"),
        "recall": Threshold(0.5, "a coin per sample of the rare class would find as many"),
    },
    references=(
        "Japkowicz & Stephen 2002, Intelligent Data Analysis 6(5)",
        "Buda, Maki & Mazurowski 2018, Neural Networks 106",
    ),
    prescriptions=(WEIGHTS, Prescription("draw samples of rare classes more often, or collect more of them")),
)
def class_imbalance(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find classes that are far rarer than others.

    What it finds:
        A class with a tenth of the largest one's training samples or less, or with none at all, where
        neither the loss nor the sampler makes up for it. It becomes a warning once the trained network shows
        it: a rare class is never the answer, or is found far less often than the largest.
    Why it matters:
        An answer that leaves out a rare class costs little loss. Accuracy hides it.
    What to do:
        Weigh the classes in the loss, or draw rare ones more often; report recall per class; choose the
        decision threshold on validation data.
    Limits:
        Rare classes are often in the nature of the data and learned all the same: then all is well.
    Thresholds:
        ratio: Samples of the largest class over those of a rare one.
        least_samples: Classes with fewer validation samples are not judged by their recall.
        recall: Upper end of the 95 % interval of a rare class's recall, relative to the lower end of the
            largest class's, for a warning.
    Sources:
        Japkowicz & Stephen 2002, Intelligent Data Analysis 6(5); Buda, Maki & Mazurowski 2018, Neural
        Networks 106.
    """
    seen = measured(run, ClassBalance)
    if len(seen.counts) < 2 or max(seen.counts) <= 0:
        raise Unchecked("fewer than two classes were counted")
    rare = [index for index, count in enumerate(seen.counts) if count * limits["ratio"] <= max(seen.counts)]
    if rare and not seen.weighted:
        yield _judge(run, seen, rare, _lost(seen, rare, limits))


@dataclass(frozen=True, slots=True)
class _Lost:
    classes: list[int]
    """Rare classes that the trained network does not find."""
    never: list[int]
    """Those of them that it never answered."""


def _lost(seen: ClassBalance, rare: list[int], limits: Limits) -> _Lost:
    count = len(seen.counts)
    if not count == len(seen.actual) == len(seen.recalled) == len(seen.predicted):
        return _Lost([], [])
    largest = seen.counts.index(max(seen.counts))
    usual = _recall(seen, largest)[0]
    judged = [index for index in rare if seen.counts[index] > 0 and seen.actual[index] >= limits["least_samples"]]
    lost = [index for index in judged if _recall(seen, index)[1] < limits["recall"] * usual]
    return _Lost(lost, [index for index in lost if seen.predicted[index] == 0])


def _recall(seen: ClassBalance, index: int) -> tuple[float, float]:
    """Return the interval of a class's recall."""
    actual = seen.actual[index]
    return wilson_interval(seen.recalled[index] / actual if actual > 0 else 0.0, actual)


def _judge(run: Run, seen: ClassBalance, rare: list[int], lost: _Lost) -> Finding:
    smallest, largest = min(seen.counts), max(seen.counts)
    told = lost.classes or rare
    names = f"class {told[0]}" if len(told) == 1 else f"classes {listed([str(index) for index in told], most=5)}"
    return class_imbalance.finding(
        _summary(seen, names, lost),
        severity=Severity.WARNING if lost.classes else Severity.INFO,
        confidence=0.9,
        evidence={
            "smallest_class": smallest,
            "largest_class": largest,
            "rare_classes": len(rare),
            "rare": listed([str(index) for index in rare], most=10),
            "not_found": len(lost.classes),
            "never_predicted": len(lost.never),
        },
        cause="the loss of the many outweighs that of the few" if lost.classes else "the classes are unevenly frequent",
        remedies=(
            *prescribed(run, WEIGHTS),
            Remedy("draw samples of rare classes more often, or collect more of them"),
            Remedy("judge by recall per class or balanced accuracy, not by accuracy"),
        ),
    )


def _summary(seen: ClassBalance, names: str, lost: _Lost) -> str:
    smallest, largest = min(seen.counts), max(seen.counts)
    if not lost.classes:
        none = " (no training sample at all)" if smallest == 0 else ""
        return f"{names} have {smallest} training samples or little more{none}, the largest class {largest}"
    right = sum(seen.recalled[index] for index in lost.classes)
    actual = sum(seen.actual[index] for index in lost.classes)
    never = " and was never the answer for some of them" if lost.never and len(lost.never) < len(lost.classes) else ""
    never = ", which were never the answer" if len(lost.never) == len(lost.classes) else never
    return (
        f"the trained network finds {right} of {actual} validation samples of {names}{never}; "
        f"the smallest class has {smallest} training samples, the largest {largest}"
    )
