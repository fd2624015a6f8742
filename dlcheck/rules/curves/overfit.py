"""C409."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.pairing import TRAIN_FIRST, Pair, need_pair
from dlcheck.rules.reference import start_loss
from dlcheck.rules.remedy import patched
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
        "progress_alone": Threshold(0.2, "measured: as above, where accuracy does not worsen with the loss"),
        "noise": Threshold(3.0, "three standard deviations between two levels"),
        "level": Threshold(0.05, "one-sided level of both trends"),
    },
    references=("Prechelt 1998, Early Stopping - But When?, LNCS 1524, doi:10.1007/3-540-49430-8_3",),
)
def overfit(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a validation loss that worsens significantly while training still improves.

    What it finds:
        A validation loss that rises after its lowest level: by Theil-Sen slope and Mann-Kendall test, by more
        than the noise, relative to its lowest level, and relative to all it had gained before, while
        the training loss falls over the same stretch.
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
            another metric on validation data worsens too.
        progress_alone: The same, where no other metric worsens or none was logged.
        noise: Rise in standard deviations of the noise between validations.
        level: One-sided significance level of the trends.
    Sources:
        Prechelt 1998, Early Stopping - But When? (generalisation loss); Godbole et al. 2023, Deep Learning
        Tuning Playbook (problematic overfitting).
    """
    turn = measure_turn(run, int(limits["least_points"]))
    if turn is not None and worsens(turn, limits) and turn.train_after.falls(limits["level"]):
        yield _judge(run, turn)


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
        end_loss=float(np.median(end)),
        end_lowest=float(end.min()),
        after=trend(x, y),
        train_then=float(pair.train_at[best]),
        train_end=float(np.median(tail(train_y, 0.2))),
        train_after=trend(train_x, train_y),
    )


def worsens(turn: Turn, limits: Limits) -> bool:
    """Return whether the validation loss rose significantly, and by enough to matter."""
    least = max(
        limits["rise"] * abs(turn.best_loss),
        limits["progress" if turn.metric_worsens else "progress_alone"] * (turn.start_loss - turn.best_loss),
        limits["noise"] * turn.pair.val.noise,
    )
    beyond = turn.rise > least and turn.end_lowest > turn.best_loss
    return beyond and turn.after.rises(limits["level"])


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
        remedies=_remedies(run),
    )


def _remedies(run: Run) -> tuple[Remedy, ...]:
    stop = "stop when validation has not improved for 5 epochs, and keep the best weights"
    return (
        patched(run, stop, {"train.patience": 5, "train.restore_best": True}),
        patched(run, "penalise large weights", {"regularize.l2": 0.001}),
        Remedy("train on more samples, or on augmented ones"),
        Remedy("use dropout or a smaller network"),
    )
