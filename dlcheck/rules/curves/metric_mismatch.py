"""C415."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Effect, Finding, Severity, Where
from dlcheck.rules.curves.overfit import Turn, measure_turn, worsens
from dlcheck.rules.pairing import TRAIN_FIRST
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import DROPOUT, PENALTY, SMOOTHING
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.scores import Score, score
from dlcheck.rules.statistics import tail, trend
from dlcheck.runs import Run


@rule(
    "C415",
    "metric-loss-mismatch",
    Severity.WARNING,
    needs=("val_loss", TRAIN_FIRST, "val_metric"),
    thresholds={
        "least_points": Threshold(6, "Kendall 1975: the least four points for 0.05 (1 in 24), and two before them"),
        "rise": Threshold(0.05, "Prechelt 1998: generalisation loss of 5 %"),
        "progress": Threshold(0.05, "as for overfit"),
        "progress_alone": Threshold(0.2, "as for overfit"),
        "noise": Threshold(3.0, "three standard deviations between two levels"),
        "level": Threshold(0.05, "one-sided level of both trends"),
    },
    references=("Guo et al. 2017, On Calibration of Modern Neural Networks, ICML, arXiv:1706.04599",),
    prescriptions=(
        Prescription(
            "choose the best epoch by the metric",
            {"train.monitor": "val_metric"},
            expects=(Effect("val_metric", "rises"),),
        ),
        SMOOTHING,
        PENALTY,
        DROPOUT,
    ),
)
def metric_mismatch(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a validation loss that worsens while its accuracy still improves.

    What it finds:
        A validation loss that rises significantly, and a metric on the same samples that rises significantly
        since the lowest loss, and ends above its value there.
    Why it matters:
        Early stopping on the loss throws the better weights away, or the network grows overconfident: its
        wrong answers become ever more certain.
    What to do:
        Choose epochs by the metric that counts; smooth the labels, or scale the temperature afterwards, where
        the probabilities are used.
    Limits:
        Only a metric whose direction is known is compared.
    Thresholds:
        least_points: Fewer validations are not judged.
        rise: Rise of the loss over its lowest level, relative to it.
        progress: Rise relative to what validation had gained, where the metric worsens too.
        progress_alone: The same, where it does not.
        noise: Rise in standard deviations of the noise between validations.
        level: One-sided significance level of both trends.
    Sources:
        Guo et al. 2017, arXiv:1706.04599 (overfitting the loss without overfitting the error).
    """
    found = score(run)
    if found is None:
        raise Unchecked("no metric on validation data whose direction is known")
    turn = measure_turn(run, int(limits["least_points"]))
    if turn is None or not worsens(turn, limits):
        return
    first = min(len(found.y) - 1, round(turn.best / max(1, len(turn.pair.val) - 1) * (len(found.y) - 1)))
    then, end = float(found.level[first]), float(np.median(tail(found.y, 0.2)))
    if end > then + found.noise and trend(found.course.x[first:], found.y[first:]).rises(limits["level"]):
        yield _judge(run, turn, found, then, end)


def _judge(run: Run, turn: Turn, found: Score, then: float, end: float) -> Finding:
    step, epoch = turn.pair.val.place(turn.best)
    return metric_mismatch.finding(
        f"val_loss rose from {turn.best_loss:.3g} to {turn.end_loss:.3g}, "
        f"while {found.name} improved from {abs(then):.3g} to {abs(end):.3g}",
        confidence=0.9,
        evidence={
            "best_val_loss": turn.best_loss,
            "last_val_loss": turn.end_loss,
            "metric": found.name,
            "metric_then": abs(then),
            "metric_end": abs(end),
        },
        where=Where(metric="val_loss", step=step, epoch=epoch),
        cause="answers that are right more often and, where wrong, ever more certain",
    )
