"""C409."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.curves.score_gap import ScoreGap, score_gap
from dlcheck.rules.pairing import TRAIN_FIRST, Pair, need_pair
from dlcheck.rules.prescriptions import AUGMENT, DROPOUT, MORE_DATA, NARROWER, PENALTY, STOP
from dlcheck.rules.reference import start_loss
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.rules.scores import score
from dlcheck.rules.statistics import Trend, tail, trend
from dlcheck.runs import Run


@dataclass(frozen=True, slots=True)
class Turn:
    """The validation loss around its lowest level, and the training loss after it."""

    pair: Pair
    best: int
    start_loss: float
    metric_worsens: bool
    metric_holds: bool
    """Whether a metric was logged and does not worsen."""
    end_loss: float
    end_lowest: float
    after: Trend
    train_then: float
    train_end: float
    train_after: Trend

    @property
    def best_loss(self) -> float:
        """Lowest level of the validation loss."""
        return float(self.pair.val.level[self.best])

    @property
    def rise(self) -> float:
        """From the lowest level to the last."""
        return self.end_loss - self.best_loss


@rule(
    "C409",
    "overfit",
    Severity.WARNING,
    needs=("val_loss", TRAIN_FIRST),
    thresholds={
        "least_points": Threshold(6, "Kendall 1975: the least four points for 0.05 (1 in 24), and two before them"),
        "rise": Threshold(0.05, "Prechelt 1998: generalisation loss of 5 %"),
        "progress": Threshold(0.05, "measured: healthy runs of small networks whose loss has neared 0 lose less"),
        "progress_alone": Threshold(0.2, "measured: as above, where a logged metric does not worsen with the loss"),
        "noise": Threshold(3.0, "three standard deviations between two levels"),
        "level": Threshold(0.05, "one-sided level of both trends"),
        "score_gap": Threshold(0.1, "a tenth of all samples; the sampling error of 100 samples is half of that"),
    },
    references=("Prechelt 1998, Early Stopping - But When?, LNCS 1524, doi:10.1007/3-540-49430-8_3",),
    prescriptions=(AUGMENT, DROPOUT, PENALTY, STOP, MORE_DATA, NARROWER),
)
def overfit(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a validation loss that worsens significantly while training still improves.

    What it finds:
        A validation loss that rises after its lowest level: by Theil-Sen slope and Mann-Kendall test, or for
        good at once; by more than the noise, relative to its lowest level, and relative to all it had gained
        before; while the training loss falls over the same stretch. Or a bounded score, as accuracy, that rises on the
        training samples, never on those of validation, and ends far apart.
    Why it matters:
        Every epoch after the minimum makes the network worse on new samples; the last weights are not the
        best ones.
    What to do:
        Keep the weights of the best epoch and stop there; then more data, augmentation, weight decay,
        dropout or a smaller network.
    Limits:
        The loss can worsen while accuracy does not, when wrong answers become ever more certain. With very
        few validations the trend cannot be told from chance.
    Thresholds:
        least_points: Fewer validations are not judged.
        rise: Rise over the lowest level, relative to it.
        progress: Rise relative to what validation had gained from its start to its lowest level, where
            another metric on validation data worsens too, or none was logged.
        progress_alone: The same, where a logged metric contradicts by not worsening.
        noise: Rise in standard deviations of the noise between validations.
        level: One-sided significance level of the trends.
        score_gap: Rise of the training score, and its final distance to that of validation.
    Sources:
        Prechelt 1998, Early Stopping - But When? (generalisation loss); Godbole et al. 2023, Deep Learning
        Tuning Playbook (problematic overfitting).
    """
    turn = measure_turn(run, int(limits["least_points"]))
    if turn is not None and worsens(turn, limits) and _train_improves(turn, limits):
        yield _judge(run, turn)
    elif (gap := score_gap(run, limits)) is not None:
        yield _memorised(run, gap)


def measure_turn(run: Run, least_points: int) -> Turn | None:
    """Return what followed the lowest validation loss, None when fewer than four points did.

    Raises:
        Unchecked: too few points.
    """
    pair = need_pair(run, least_points)
    best, val = pair.val.best, pair.val
    x, y = pair.val_x[best:], val.y[best:]
    later = pair.train_x >= x[0]
    train_x, train_y = pair.train_x[later], pair.train.y[later]
    if len(y) < 4 or len(train_y) < 4:
        return None
    end, found = tail(y, 0.2), score(run)
    return Turn(
        pair=pair,
        best=best,
        start_loss=start_loss(run, float(val.y[0])),
        metric_worsens=found is not None and found.worsens,
        metric_holds=found is not None and not found.worsens,
        end_loss=float(np.median(end)),
        end_lowest=float(end.min()),
        after=trend(x, y, 0.9),  # both ends at 0.05, as the test
        train_then=float(pair.train_at[best]),
        train_end=float(np.median(tail(train_y, 0.2))),
        train_after=trend(train_x, train_y),
    )


def worsens(turn: Turn, limits: Limits) -> bool:
    """Return whether the validation loss rose significantly, and by enough to matter."""
    least = max(
        limits["rise"] * abs(turn.best_loss),
        limits["progress_alone" if turn.metric_holds else "progress"] * (turn.start_loss - turn.best_loss),
        limits["noise"] * turn.pair.val.noise,
    )
    if turn.rise <= least or turn.end_lowest <= turn.best_loss:
        return False
    if turn.after.rises(limits["level"]):
        return True
    # A trend misses a loss that rises at once and then stays: then not one of the last values is near the best.
    return turn.end_lowest > turn.best_loss + max(least, (limits["noise"] + 1) * turn.pair.val.noise)


def _train_improves(turn: Turn, limits: Limits) -> bool:
    train = turn.pair.train
    least = max(limits["noise"] * train.noise, limits["progress"] * train.fall)
    return turn.train_after.falls(limits["level"]) or turn.train_then - turn.train_end > least


def _judge(run: Run, turn: Turn) -> Finding:
    val, train = turn.pair.val, turn.pair.train
    step, epoch = val.place(turn.best)
    count = len(val) - 1 - turn.best
    return overfit.finding(
        f"val_loss rose over the last {count} validations, from {turn.best_loss:.3g} to {turn.end_loss:.3g}, "
        f"while {train.name} fell from {turn.train_then:.3g} to {turn.train_end:.3g}",
        confidence=0.95 if turn.metric_worsens else 0.9,
        evidence={
            "best_epoch": epoch,
            "best_step": step,
            "best_val_loss": turn.best_loss,
            "last_val_loss": turn.end_loss,
            "last_train_loss": turn.train_end,
            "metric_worsens": turn.metric_worsens,
            "noise": val.noise,
            "p": turn.after.p_rising,
        },
        where=Where(metric="val_loss", step=step, epoch=epoch),
        cause="the network learns what holds for the training samples alone",
    )


def _memorised(run: Run, gap: ScoreGap) -> Finding:
    step, epoch = gap.val.course.place(gap.val.best)
    return overfit.finding(
        f"{gap.val.name} rose from {gap.train_first:.3g} to {gap.train_end:.3g} on the training samples "
        f"and not at all on those of validation: from {gap.val_first:.3g} to {gap.val_end:.3g}",
        confidence=0.85,
        evidence={
            "best_epoch": epoch,
            "best_step": step,
            "first_train_score": gap.train_first,
            "last_train_score": gap.train_end,
            "first_val_score": gap.val_first,
            "last_val_score": gap.val_end,
        },
        where=Where(metric=f"val_{gap.val.name}", step=step, epoch=epoch),
        cause="the network learns what holds for the training samples alone",
    )
