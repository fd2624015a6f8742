"""C406."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.course import TRAINING, Course, course
from dlcheck.rules.curves.flat_loss import Flat, flat, unmoved_validation
from dlcheck.rules.curves.guessing import Constant, Guess, constant_answer, guessing, uninformed_guess
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import NORM, rate
from dlcheck.rules.reference import Reference, reference
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.scores import scores
from dlcheck.runs import Run

STUCK = "a rate far too high or too low, parameters without gradient or optimizer, or dead units"
"""Why nothing is learned, as a rule."""
BY_HEART = (
    "what is learned by heart says nothing about new samples: labels that do not belong to their inputs, "
    "or splits that are prepared differently"
)
SPLITS = (
    Remedy("compare inputs and labels of a few samples of both splits by eye"),
    Remedy("prepare both splits by the same code"),
)
WINDOW = 9
"""Points of a batch loss, each a median of steps in long runs, that make a level."""


@dataclass(frozen=True, slots=True)
class _Level:
    course: Course
    best: float
    index: int
    noise: float
    """Standard error of the best level."""

    @property
    def metric(self) -> str:
        return self.course.name

    @property
    def where(self) -> Where:
        step, epoch = self.course.place(self.index)
        return Where(metric=self.metric, step=step, epoch=epoch)


@rule(
    "C406",
    "no-learning",
    Severity.ERROR,
    needs=(TRAINING,),
    thresholds={
        "least_points": Threshold(3, "a level is three evaluations in a row"),
        "gain": Threshold(0.02, "a fiftieth: less is not worth the name of learning, whatever its significance"),
        "spread": Threshold(0.5, "a constant answer's losses of samples vary by 0 (even classes) to 1.4 (normal)"),
        "noise": Threshold(4.0, "three standard errors, and one for choosing the best of many levels"),
        "validations": Threshold(5, "five equal values of five digits are no chance"),
        "flat_points": Threshold(8, "without a known reference: Kendall 1975, enough to see a trend of 0.01"),
        "good_score": Threshold(0.9, "an accuracy that high is learned, before the log began if need be"),
    },
    references=("Karpathy 2019, A Recipe for Training Neural Networks",),
    prescriptions=(
        rate(0.1),
        rate(10.0),
        Prescription("check that the optimizer holds all parameters and that gradients reach them"),
        NORM,
    ),
)
def no_learning(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a loss that never became significantly better than that of a constant answer.

    What it finds:
        A loss whose best level is not significantly below that of the best constant predictor (for classes,
        the entropy of their frequencies): on training and validation data, or on validation data alone.
        Where that loss is not known, the loss before the first step stands in for it, and a run whose
        training loss fell is not judged further. Where that is not known either, training and validation
        loss must both stay where they began, or never move at all; or the accuracy must stay near 1/C and the
        loss at or above ln C for some number C of classes, in training or in validation alone; or both must be
        those of one answer to all of two classes. A validation loss that is the same to the last digit every
        time says that the weights never change.
    Why it matters:
        Whatever the network does, answering the same to every input would do as well.
    What to do:
        When the training loss itself is stuck: check that the rate is neither far too high nor far too low,
        that the optimizer holds all parameters, and that the gradient reaches them. When only validation is:
        the labels say nothing about the inputs, or the two splits are prepared differently.
    Limits:
        A very hard task can need longer than the run to leave the level of a constant answer. Regularisation
        that is added to the logged loss makes the comparison stricter. Without a known reference a loss
        that falls to a constant answer within the first epoch looks learned.
    Thresholds:
        least_points: Fewer points are not judged.
        gain: Improvement on the reference, relative to it, that counts as learning.
        spread: On validation data this, over the square root of their number, counts where it is more.
        noise: For the loss of single batches, improvement in standard errors of the level.
        validations: Validations whose loss is the same to the last digit, at least.
        flat_points: Without a known reference, fewer points are not judged.
        good_score: Accuracy or the like that shows learning whatever the loss does.
    Sources:
        Karpathy 2019, A Recipe for Training Neural Networks (the input-independent baseline).
    """
    known = reference(run)
    if (still := unmoved_validation(run, int(limits["validations"]))) is not None:
        yield _still(run, still)
        return
    if known is None:
        if (guess := guessing(run) or constant_answer(run)) is not None:
            yield _guesses(run, guess)
        elif (pair := uninformed_guess(run)) is not None:
            yield _learned_by_heart(*pair)
        elif (found := flat(run, limits)) is not None:
            yield _unmoved(run, found)
        return
    train = _level(run, _first(run), limits)
    val = _level(run, "val_loss", limits) if course(run, "val_loss") is not None else None
    if val is not None and _better(run, val, known, limits):
        return
    if not _better(run, train, known, limits):
        good = [
            item for item in scores(run, "val", "train") if item.bounded and item.best_level >= limits["good_score"]
        ]
        if any(item.improves for item in good):
            return  # a few samples with huge losses hide that all others are answered
        yield _stuck(run, train, known)
    elif val is not None and known.fact == "trivial_loss":
        yield _uninformed(train, val, known)


def _first(run: Run) -> str:
    order = ("train_eval_loss", "train_loss", "batch_loss")
    return next((name for name in order if course(run, name) is not None), order[0])


def _level(run: Run, metric: str, limits: Limits) -> _Level:
    found = course(run, metric)
    least = WINDOW if metric == "batch_loss" else int(limits["least_points"])
    if found is None or len(found) < least:
        raise Unchecked(f"only {len(found) if found else 0} finite values of {metric}; {least} are needed")
    stretches = np.lib.stride_tricks.sliding_window_view(found.y, least)
    if metric == "batch_loss":  # other samples each time: the middle of a stretch, and how sure it is
        level, spread = np.median(stretches, axis=1), found.noise / math.sqrt(WINDOW)
    else:  # the same samples each time: the worst of a stretch
        level, spread = stretches.max(axis=1), 0.0
    best = int(np.argmin(level))
    return _Level(found, float(level[best]), best + least // 2, spread)


def _better(run: Run, level: _Level, known: Reference, limits: Limits) -> bool:
    gain = max(limits["gain"], limits["spread"] * _sampling(run) if level.metric == "val_loss" else 0.0)
    return level.best < known.loss - max(gain * abs(known.loss), limits["noise"] * level.noise)


def _sampling(run: Run) -> float:
    """Return one over the square root of the number of validation samples; 0 when it is not known."""
    sizes = run.facts.get("samples")
    count = sizes.get("val") if isinstance(sizes, Mapping) else None
    return 1 / math.sqrt(count) if isinstance(count, int) and count > 0 else 0.0


def _stuck(run: Run, level: _Level, known: Reference) -> Finding:
    return no_learning.finding(
        f"{level.metric} never became significantly better than {known.loss:.4g} ({known.words})",
        confidence=0.95 if known.constant else 0.85,
        evidence=_evidence(level, known),
        where=level.where,
        cause=STUCK,
    )


def _unmoved(run: Run, found: Flat) -> Finding:
    sure = found.constant or found.both
    step, epoch = found.loss.place(0)
    return no_learning.finding(
        found.summary,
        severity=Severity.ERROR if sure else Severity.WARNING,
        confidence=0.95 if sure else 0.8,
        evidence={
            "first_loss": float(found.loss.level[0]),
            "best_loss": float(found.loss.level.min()),
            "gained_share": found.gained,
            "validation_agrees": found.both,
        },
        where=Where(metric=found.loss.name, step=step, epoch=epoch),
        cause="a loss that does not depend on the answers (a softmax over one class, detached outputs)"
        if found.constant
        else STUCK,
    )


def _still(run: Run, loss: Course) -> Finding:
    return no_learning.finding(
        f"{loss.name} is {float(loss.y[0]):.6g} to the last digit in all {len(loss)} validations: "
        "the weights that are validated never change",
        confidence=0.95,
        evidence={"val_loss": float(loss.y[0]), "validations": len(loss)},
        where=Where(metric=loss.name),
        cause="no step is made, or on other weights than those that are validated: optimizer.step() or backward() "
        "is missing, gradients are cleared before the step, or the optimizer holds a copy",
    )


def _guesses(run: Run, guess: Guess | Constant) -> Finding:
    return no_learning.finding(
        guess.words,
        confidence=0.93,
        evidence={"accuracy": guess.accuracy, "best_loss": float(guess.loss.level.min())}
        | ({"classes": guess.classes} if isinstance(guess, Guess) else {}),
        where=Where(metric=guess.loss.name),
        cause=STUCK,
    )


def _learned_by_heart(guess: Guess, train: Course) -> Finding:
    return no_learning.finding(
        f"{guess.words}, though {train.name} fell from {train.start:.3g} to {train.end:.3g}",
        confidence=0.9,
        evidence={"classes": guess.classes, "accuracy": guess.accuracy, "best_train_loss": float(train.level.min())},
        where=Where(metric=guess.loss.name),
        cause=BY_HEART,
        remedies=SPLITS,
    )


def _uninformed(train: _Level, val: _Level, known: Reference) -> Finding:
    return no_learning.finding(
        f"val_loss never became significantly better than {known.loss:.4g} "
        f"({known.words}), though {train.metric} fell to {train.best:.3g}",
        confidence=0.95,
        evidence=_evidence(val, known) | {"best_train_loss": train.best},
        where=val.where,
        cause=BY_HEART,
        remedies=SPLITS,
    )


def _evidence(level: _Level, known: Reference) -> dict[str, float]:
    return {
        "best_loss": level.best,
        known.fact: known.loss,
        "noise": level.noise,
    }
