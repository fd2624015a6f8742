"""M216."""

import math
from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import HE, NORM, rate
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite, share
from dlcheck.runs import Run
from dlcheck.runs.facts import Predictions

REMEDIES = (
    rate(0.1),
    HE,
    NORM,
    Prescription("look for dead units: He initialisation, leaky ReLU, batch or layer normalisation"),
)


@rule(
    "M216",
    "constant-prediction",
    Severity.ERROR,
    needs=("predictions",),
    thresholds={
        "least_samples": Threshold(30, "of fewer samples all may be of one class by chance"),
        "least_steps": Threshold(100, "a network that is right but slow tells two classes apart by then"),
        "classes": Threshold(10, "of more, how often each occurs comes first: small GPTs answered so for 200 steps"),
        "same": Threshold(0.99, "the same answer for all but one in a hundred"),
        "majority": Threshold(0.8, "one in five of the labels is another: no imbalance explains one answer for all"),
        "spread": Threshold(0.01, "answers that explain even a ten-thousandth of the variance spread as much"),
    },
    references=(
        "Karpathy 2019, A Recipe for Training Neural Networks",
        "Humbatova et al. 2020, Taxonomy of Real Faults in Deep Learning Systems, ICSE",
    ),
    prescriptions=REMEDIES,
)
def constant_prediction(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a trained network that gives the same answer to every sample, while the targets differ.

    What it finds:
        One class for nearly all validation samples although their labels are mixed; in regression, answers
        whose spread is next to nothing beside that of the targets. After a hundred steps at least.
    Why it matters:
        The network has learned the commonest answer or the mean, and nothing about the input. An accuracy of
        40 % may be no more than that.
    What to do:
        Look for dead units, a rate that is too high, labels that do not belong to the inputs, targets and
        outputs of different shapes, inputs that do not arrive.
    Limits:
        Where one class makes most of the labels, see class-imbalance. Among many classes, as in a language
        model, the commonest for all is worth knowing only, at first. Targets that nothing predicts rightly
        lead to answers that hardly differ; below a hundredth of their spread this is more than that.
    Thresholds:
        least_samples: Fewer answers are not judged.
        least_steps: Steps of training, fewer are not judged.
        classes: Of more classes, the steps before which the commonest for all is no fault grow with the root.
        same: Share of the commonest answer, at least.
        majority: Share of the commonest label, at most.
        spread: Standard deviation of the answers relative to that of the targets, at most.
    Sources:
        Karpathy 2019; Humbatova et al. 2020, ICSE.
    """
    seen = measured(run, Predictions)
    if seen.samples < limits["least_samples"]:
        raise Unchecked(f"only {seen.samples} answers; {limits['least_samples']:g} are needed", "dlcheck watch SCRIPT")
    if seen.step < limits["least_steps"]:
        raise Unchecked(f"answers were looked at after {seen.step} steps of training", "dlcheck watch SCRIPT")
    if _one_class(seen, limits):
        yield _classes(run, seen, limits)
    elif _one_number(seen, limits):
        yield _numbers(run, seen)


def _one_class(seen: Predictions, limits: Limits) -> bool:
    if len(seen.labels) < 2 or not seen.counts:
        return False
    answers, labels = sum(seen.counts), sum(seen.labels)
    mixed = 0 < max(seen.labels) <= limits["majority"] * labels
    return answers > 0 and mixed and max(seen.counts) >= limits["same"] * answers


def _one_number(seen: Predictions, limits: Limits) -> bool:
    spread, targets = finite(seen.output_std), finite(seen.target_std)
    return spread is not None and targets is not None and targets > 0 and spread <= limits["spread"] * targets


def _classes(run: Run, seen: Predictions, limits: Limits) -> Finding:
    answer = seen.counts.index(max(seen.counts))
    part = share(max(seen.counts), sum(seen.counts))
    early = _early(seen, answer, limits)
    so_far = " so far" if early else ""
    longer = (Remedy("train longer: after more steps this would be a fault"),) if early else ()
    return constant_prediction.finding(
        f"class {answer} is the answer for {part:.0%} of {seen.samples} samples, while the commonest label makes "
        f"{share(max(seen.labels), sum(seen.labels)):.0%} of them",
        severity=Severity.INFO if early else Severity.ERROR,
        confidence=0.93,
        evidence={
            "samples": seen.samples,
            "answer": answer,
            "share_of_answers": part,
            "share_of_commonest_label": share(max(seen.labels), sum(seen.labels)),
            "step": seen.step,
        },
        cause=f"the network has learned how often answers occur, and nothing about the input{so_far}",
        remedies=(*longer, *_remedies(run)),
    )


def _early(seen: Predictions, answer: int, limits: Limits) -> bool:
    """Return whether a network with this many classes may still be learning how often each of them occurs."""
    commonest = answer < len(seen.labels) and seen.labels[answer] == max(seen.labels)
    classes = sum(1 for count in seen.labels if count)
    return commonest and seen.step < limits["least_steps"] * math.sqrt(max(1.0, classes / limits["classes"]))


def _numbers(run: Run, seen: Predictions) -> Finding:
    spread, targets = seen.output_std or 0.0, seen.target_std or 0.0
    exact = seen.largest_difference == 0
    return constant_prediction.finding(
        f"answers differ by a standard deviation of {spread:.2g}, targets by {targets:.2g}",
        severity=Severity.ERROR if exact else Severity.WARNING,
        confidence=0.93 if exact else 0.85,
        evidence={
            "samples": seen.samples,
            "output_std": spread,
            "target_std": targets,
            "largest_difference": finite(seen.largest_difference),
            "step": seen.step,
        },
        cause="the network has learned the mean of the targets, and nothing about the input",
        remedies=_remedies(run),
    )


def _remedies(run: Run) -> tuple[Remedy, ...]:
    return (
        Remedy(
            "check that inputs reach the network and belong to their labels, and that outputs and targets have "
            "the same shape"
        ),
        *prescribed(run, *REMEDIES),
    )
