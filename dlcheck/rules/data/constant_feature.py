"""D103."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import listed
from dlcheck.runs import Run
from dlcheck.runs.facts import ConstantFeatures


@rule(
    "D103",
    "constant-feature",
    Severity.INFO,
    needs=("constant_features",),
    thresholds={
        "least_samples": Threshold(
            10, "a feature that holds two values equally often is constant in 10 samples once in 500 data sets"
        ),
    },
    references=("Guyon & Elisseeff 2003, J. Mach. Learn. Res. 3",),
)
def constant_feature(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find features that are the same for every training sample.

    What it finds:
        Columns of a table with one single value in the training split. Pixels at the border of an image are
        usual and no finding, unless every pixel is constant.
    Why it matters:
        They tell nothing, and a network may answer wildly when one of them changes later. If all are
        constant, inputs carry nothing at all: that is an error.
    What to do:
        Drop them, or find out why the reader filled them with one value.
    Limits:
        In a small training split a rare value may be missing by chance.
    Thresholds:
        least_samples: Fewer samples are not judged.
    Sources:
        Guyon & Elisseeff 2003, J. Mach. Learn. Res. 3 (feature selection).
    """
    seen = measured(run, ConstantFeatures)
    if seen.features <= 0 or seen.samples < limits["least_samples"]:
        raise Unchecked(f"{seen.features} features of {seen.samples} samples were looked at; too few to tell")
    everything = seen.constant >= seen.features
    if everything or (seen.constant > 0 and not seen.image):
        yield _judge(seen, everything)


def _judge(seen: ConstantFeatures, everything: bool) -> Finding:
    names = seen.names or tuple(str(index) for index in seen.examples)
    which = f": {listed(names, seen.constant, most=5)}" if names else ""
    words = "every feature is" if everything else f"{seen.constant} of {seen.features} features are"
    return constant_feature.finding(
        f"{words} the same in all {seen.samples} training samples{which}",
        severity=Severity.ERROR if everything else Severity.INFO,
        confidence=0.98 if everything else 0.9,
        evidence={"constant": seen.constant, "features": seen.features, "samples": seen.samples},
        cause="inputs that were read or prepared wrongly: the same sample again and again, or blanks"
        if everything
        else "a column that does not vary here, or was filled with one value",
        remedies=(
            Remedy("look at a few samples as the network gets them"),
            Remedy("leave constant columns out of the features"),
        ),
    )
