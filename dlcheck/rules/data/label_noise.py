"""D115."""

from collections.abc import Iterator
from dataclasses import replace

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import SMOOTHING
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import listed
from dlcheck.rules.statistics import all_finite
from dlcheck.runs import Run
from dlcheck.runs.facts import LabelNoise

SOFTER = replace(SMOOTHING, text="smooth the labels, so that a wrong one pulls less")


@rule(
    "D115",
    "label-noise",
    Severity.INFO,
    needs=("label_noise",),
    thresholds={
        "share": Threshold(0.05, "Ben Braiek & Khomh 2023, TheDeepChecker: more than 5 % are worth cleaning"),
        "some": Threshold(0.005, "a tenth of it: worth a look at the surest"),
        "accuracy": Threshold(0.8, "models that are wrong themselves once in five contradict too easily"),
        "many": Threshold(0.15, "one label in seven: wrong labels of that number hide from the models, too"),
        "among_many": Threshold(0.65, "where a third of the labels is wrong, models that know agree with the rest"),
        "least_accuracy": Threshold(0.5, "models that are wrong more often than right contradict nothing"),
    },
    references=(
        "Northcutt, Jiang & Chuang 2021, J. Artif. Intell. Res. 70 (confident learning)",
        "Ben Braiek & Khomh 2023, ACM TOSEM 32(5), TheDeepChecker",
    ),
    prescriptions=(Prescription("look at these samples, and correct or drop what is wrong"), SOFTER),
)
def label_noise(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find labels that their neighbours contradict.

    What it finds:
        Training samples that two different simple models, neither of which saw their labels, both
        confidently give another one. Above 5 % by the lower end of the interval it is a warning.
    Why it matters:
        A network learns wrong labels by heart, and validation counts right answers as wrong.
    What to do:
        Look at the samples that are named, the surest first, and correct or drop them.
    Limits:
        Classes that overlap by nature look the same. Where the simple models themselves are poor, nothing is
        said for sure.
    Thresholds:
        share: Lower end of the 95 % interval of the share of wrong labels, for a warning.
        some: The same for information.
        many: Lower end of that share from which models need to agree less.
        among_many: Agreement that is enough then.
        accuracy: Agreement of the simple models with the labels that they do not suspect, for a warning.
        least_accuracy: The same, below which nothing is judged.
    Sources:
        Northcutt, Jiang & Chuang 2021, J. Artif. Intell. Res. 70; Ben Braiek & Khomh 2023, ACM TOSEM 32(5).
    """
    seen = measured(run, LabelNoise)
    if seen.samples <= 0 or not all_finite(seen.share_low, seen.share_high, seen.model_accuracy):
        raise Unchecked("no labels were judged")
    if seen.model_accuracy < limits["least_accuracy"]:
        raise Unchecked(f"simple models agree with {seen.model_accuracy:.0%} of the labels only, too few to contradict")
    if seen.suspects > 0 and seen.share_low > limits["some"]:
        least = limits["accuracy"] if seen.share_low <= limits["many"] else limits["among_many"]
        sure = seen.share_low > limits["share"] and seen.model_accuracy >= least
        yield _judge(run, seen, sure=sure)


def _judge(run: Run, seen: LabelNoise, *, sure: bool) -> Finding:
    cases = [
        f"{index} ({given} or {other}?)"
        for index, given, other in zip(seen.examples, seen.given, seen.suggested, strict=False)
    ]
    first = f", the surest: {listed(cases, most=3)}" if cases else ""
    return label_noise.finding(
        f"{seen.suspects} of {seen.samples} labels are contradicted by two models that did not see them "
        f"(95 % interval of wrong ones {seen.share_low:.1%} to {seen.share_high:.1%}){first}",
        severity=Severity.WARNING if sure else Severity.INFO,
        confidence=0.85 if sure else 0.6,
        evidence={
            "suspects": seen.suspects,
            "samples": seen.samples,
            "share_low": seen.share_low,
            "share_high": seen.share_high,
            "model_accuracy": seen.model_accuracy,
            "surest": listed(cases, most=10) if cases else None,
        },
        cause="samples that were labelled wrongly" if sure else "a few wrong labels, or classes that overlap",
        remedies=(
            Remedy("look at these samples, and correct or drop what is wrong"),
            *prescribed(run, SOFTER),
        ),
    )
