"""C418."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import course
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.reference import reference
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.scores import Score, score
from dlcheck.runs import Run


@rule(
    "C418",
    "too-good-too-soon",
    Severity.WARNING,
    needs=("val_metric",),
    thresholds={
        "least_points": Threshold(3, "the first validation and two that confirm it"),
        "perfect": Threshold(0.995, "one error in two hundred; labels themselves are seldom that clean"),
        "behind": Threshold(0.02, "training four times as often wrong as validation may be"),
    },
    references=(
        "Kapoor & Narayanan 2023, Patterns 4(9), arXiv:2207.07048",
        "Kaufman et al. 2012, ACM Trans. Knowl. Discov. Data 6(4)",
    ),
    prescriptions=(
        Prescription("look for samples that both splits share, and for inputs that tell the label"),
        Prescription("train once on shuffled labels: the score must fall to chance"),
    ),
)
def too_good(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find answers on validation data that are perfect from the first validation.

    What it finds:
        An accuracy, or another score that 1 bounds, that is as good as perfect at the first validation and
        stays so. It is a warning when the network is clearly worse on the samples it was trained on at the
        same time, and information otherwise.
    Why it matters:
        Perfect answers before training has done its work are most often leaked: the same samples in both
        splits, or the label among the inputs.
    What to do:
        Look for shared samples and for features that hold the answer; shuffle the labels and train again:
        the score must fall to chance.
    Limits:
        Easy tasks are solved within an epoch, which no curve can tell from a leak.
    Thresholds:
        least_points: Fewer validations are not judged.
        perfect: Score at the first validation, and the median of all.
        behind: Distance of the training score below that of validation, for the warning.
    Sources:
        Kapoor & Narayanan 2023, arXiv:2207.07048 (leakage); Kaufman et al. 2012, ACM TKDD 6(4).
    """
    found = score(run)
    if found is None or not found.bounded or len(found.y) < limits["least_points"]:
        raise Unchecked("no score with an upper bound on validation data, or fewer than three values of it")
    if float(found.y[0]) < limits["perfect"] or float(np.median(found.y)) < limits["perfect"]:
        return
    if not _constant_loss(run):
        yield _judge(run, found, limits)


def _constant_loss(run: Run) -> bool:
    """Return whether the validation loss says that nothing was learned; no-learning finds that."""
    loss, known = course(run, "val_loss"), reference(run)
    return loss is not None and known is not None and loss.y[0] > 0.9 * known.loss > 0


def _judge(run: Run, found: Score, limits: Limits) -> Finding:
    measured = score(run, "train_eval")
    train = measured or score(run, "train")
    first = float(train.y[0]) if train is not None and train.bounded else None
    behind = first is not None and float(found.y[0]) - first > limits["behind"]
    step, epoch = found.course.place(0)
    words = f", where the training samples had {first:.2%}" if behind else ""
    return too_good.finding(
        f"{found.name} was {float(found.y[0]):.2%} at the first validation{words}",
        severity=Severity.WARNING if behind and measured is not None else Severity.INFO,
        confidence=0.8 if behind and measured is not None else 0.6,
        evidence={"first_score": float(found.y[0]), "first_train_score": first},
        where=Where(metric=found.name, step=step, epoch=epoch),
        cause="samples shared by both splits, inputs that hold the label, or a very easy task",
    )
