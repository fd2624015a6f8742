"""C408."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Severity, Value, Where
from dlcheck.rules.course import Course, need_course
from dlcheck.rules.prescriptions import FEWER_LIMITS, LONGER, NO_DROPOUT, UNFREEZE, WIDER, WIDER_STAGES, rate
from dlcheck.rules.reference import reference
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.scores import Score, score
from dlcheck.rules.statistics import plateau_start
from dlcheck.runs import Run

TRAIN_FIRST = ("train_eval_loss", "train_loss", "batch_loss")

NOISY = 0.25
"""Noise relative to the whole fall beyond which the end of the fall cannot be seen."""


@rule(
    "C408",
    "underfit",
    Severity.WARNING,
    needs=(TRAIN_FIRST,),
    thresholds={
        "least_points": Threshold(8, "the last half must show four points without progress"),
        "high": Threshold(0.75, "three quarters of what a constant answer loses are still lost"),
        "score": Threshold(0.6, "CS231n: a training accuracy this low is far from fitted; chance is left out"),
        "share": Threshold(0.4, "converged: the last two fifths of the run gained nothing"),
        "close": Threshold(0.03, "of all that was gained; the trend of the rest is then no use"),
    },
    references=(
        "Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 5.2",
        "Karpathy 2019, A Recipe for Training Neural Networks",
    ),
    prescriptions=(FEWER_LIMITS, NO_DROPOUT, UNFREEZE, rate(3.0), WIDER, WIDER_STAGES, LONGER),
)
def underfit(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a run that has converged while its error on the training data themselves is still high.

    What it finds:
        Two signals that agree: the training loss gained nothing in the last part of the run, and its level is
        still most of what a constant answer loses, with a training accuracy, where logged, far from 1.
    Why it matters:
        The network cannot even fit what it sees; nothing done about generalisation will help.
    What to do:
        A larger network, a better rate, fewer regularisers, or inputs that hold more of the answer.
    Limits:
        Where the labels are noise in part, no network gets lower. Regularisers such as mixup or label
        smoothing raise the training loss without harm. Without the loss of a constant answer, and without a
        training accuracy, how high the error is cannot be told.
    Thresholds:
        least_points: Fewer points are not judged.
        high: Training loss relative to that of a constant answer.
        score: Training accuracy or other score bounded by 1, at most.
        share: Last share of the run without progress.
        close: Distance from the best level that counts as none, relative to the whole fall.
    Sources:
        Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 5.2; Karpathy 2019, A Recipe for Training
        Neural Networks (overfit first).
    """
    loss = need_course(run, TRAIN_FIRST, int(limits["least_points"]))
    known, fitted = reference(run), score(run, "train_eval") or score(run, "train")
    trivial = known.loss if known is not None and known.constant and known.loss > 0 else None
    if trivial is None and (fitted is None or not fitted.bounded):
        raise Unchecked(
            "neither the loss of a constant answer nor a training accuracy is known", "dlcheck train RECIPE"
        )
    if not _converged(loss, limits) or not _learned_little(loss, trivial):
        return
    if _high(loss, trivial, fitted, limits):
        yield _judge(run, loss, trivial, fitted)


def _converged(loss: Course, limits: Limits) -> bool:
    if loss.noise > NOISY * loss.fall:
        return False  # its course cannot be seen
    start = plateau_start(loss.level, max(limits["close"] * loss.fall, loss.noise))
    return 1 - start / (len(loss) - 1) >= limits["share"]


def _learned_little(loss: Course, trivial: float | None) -> bool:
    start = trivial if trivial is not None else float(loss.level[0])
    return loss.end < 0.98 * start and (trivial is not None or loss.end > 0.3 * loss.start)


def _high(loss: Course, trivial: float | None, fitted: Score | None, limits: Limits) -> bool:
    high_loss = trivial is None or loss.end > limits["high"] * trivial
    low_score = fitted is None or not fitted.bounded or float(np.max(fitted.level)) < limits["score"]
    return high_loss and low_score


def _judge(run: Run, loss: Course, trivial: float | None, fitted: Score | None) -> Finding:
    step, epoch = loss.place(loss.best)
    numbers: dict[str, Value] = {"train_loss": loss.end, "trivial_loss": trivial}
    if fitted is not None:
        numbers["train_score"] = float(np.max(fitted.y))
    level = (
        f"{loss.end / trivial:.0%} of a constant answer's" if trivial else f"a score of {numbers['train_score']:.2f}"
    )
    return underfit.finding(
        f"{loss.name} has converged at {loss.end:.3g}, {level}",
        confidence=0.85,
        evidence=numbers,
        where=Where(metric=loss.name, step=step, epoch=epoch),
        cause="a network too small or too strongly regularised for the task, or a rate that lets it settle early",
    )
