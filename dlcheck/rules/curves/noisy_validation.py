"""C413."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import Course, course, need_course
from dlcheck.rules.pairing import TRAIN_FIRST
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import GENERALISES, rate
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.runs import Run


@rule(
    "C413",
    "noisy-validation",
    Severity.INFO,
    needs=("val_loss",),
    thresholds={
        "least_points": Threshold(6, "the spread of four second differences, and two more"),
        "level": Threshold(0.03, "a thirtieth: below, the best epoch is chosen well enough"),
        "progress": Threshold(0.1, "a tenth of all that validation gained; more hides its course"),
        "large": Threshold(0.25, "a quarter of the level, whatever training does: a single value says little"),
        "train": Threshold(2.0, "twice as restless as training: the cause lies with validation"),
    },
    references=(
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
        "Bouthillier et al. 2021, MLSys, arXiv:2103.03098",
    ),
    prescriptions=(
        Prescription("validate on more samples"),
        Prescription(
            "average the weights", {"regularize.average": "ema"}, unless=("regularize.average",), expects=GENERALISES
        ),
        rate(0.3),
    ),
)
def noisy_validation(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a validation loss that jumps about so much that its course is hard to see.

    What it finds:
        Noise between validations that is large beside the level of the loss, beside all that was gained, and
        beside the noise of the training loss or a large part of the level itself.
    Why it matters:
        The best epoch is partly chosen by luck, and early stopping stops at random.
    What to do:
        A larger validation set, a smaller rate towards the end, a larger batch, averaged weights.
    Limits:
        Few validations tell little about their own noise.
    Thresholds:
        least_points: Fewer validations are not judged.
        level: Noise relative to the middle level of the loss.
        progress: Noise relative to the fall of the validation loss.
        large: Noise relative to the middle level that needs no comparison.
        train: Noise relative to that of the training loss, both relative to their falls.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook (variance between steps); Bouthillier et al. 2021,
        arXiv:2103.03098 (noise of the benchmark).
    """
    val = need_course(run, ("val_loss",), int(limits["least_points"]))
    restless = _restless(val)
    train = next((item for name in TRAIN_FIRST if (item := course(run, name)) is not None and len(item) > 3), None)
    calm = limits["train"] * _restless(train) if train else 0.0
    relative = val.noise / max(abs(float(np.median(val.y))), 1e-12)
    # Near zero any noise is a large part of the level: beside the progress made it must be visible as well.
    noisy = relative > limits["level"] and restless > limits["progress"]
    if noisy and (restless > calm or relative > limits["large"]):
        yield _judge(run, val, restless, _restless(train) if train else None)


def _restless(loss: Course) -> float:
    """Return the noise relative to all that was gained."""
    return loss.noise / max(loss.fall, 1e-12)


def _judge(run: Run, val: Course, restless: float, train: float | None) -> Finding:
    noisy = val.noise / max(abs(float(np.median(val.y))), 1e-12)
    step, epoch = val.place(int(np.argmax(val.y - val.level)))
    return noisy_validation.finding(
        f"val_loss varies by {noisy:.0%} of its level from one validation to the next",
        confidence=0.85,
        evidence={
            "noise": val.noise,
            "noise_of_progress": restless,
            "train_noise_of_progress": train,
            "level": val.end,
        },
        where=Where(metric="val_loss", step=step, epoch=epoch),
        cause="few validation samples, steps that are large to the end, or batch statistics of small batches",
    )
