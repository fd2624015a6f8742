"""C409."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.reference import start_loss
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.statistics import Trend, noise, positions, smooth, tail, trend
from dlcheck.runs import Curve, Run
from dlcheck.runs.run import Numbers
from dlcheck.runs.signals import first_present, lower_is_better, main_metric, signal_curve

TRAINING = ("train_eval_loss", "train_loss", "batch_loss")


@dataclass(frozen=True, slots=True)
class _Turn:
    """The validation loss around its lowest level, and the training loss after it."""

    val: Curve
    best: int
    best_loss: float
    start_loss: float
    metric_worsens: bool
    end_loss: float
    end_lowest: float
    noise: float
    after: Trend
    train_metric: str
    train_then: float
    train_end: float
    train_after: Trend

    @property
    def rise(self) -> float:
        return self.end_loss - self.best_loss


@rule(
    "C409",
    "overfit",
    Severity.WARNING,
    needs=("val_loss", TRAINING),
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
    turn = _measure(run, int(limits["least_points"]))
    if turn is not None and _worsens(turn, limits) and turn.train_after.falls(limits["level"]):
        yield _judge(run, turn)


def _measure(run: Run, least_points: int) -> _Turn | None:
    val = signal_curve(run, "val_loss").finite
    if len(val) < least_points:
        raise Unchecked(f"only {len(val)} finite values of val_loss; {least_points} are needed")
    level = smooth(val.values, 3)
    best = int(np.argmin(level))
    x, y = positions(val)[best:], val.values[best:]
    metric = first_present(run, *TRAINING) or TRAINING[0]
    train = signal_curve(run, metric).finite
    train_x, train_y = _from(positions(train), train.values, x[0])
    if len(y) < 4 or len(train_y) < 4:
        return None
    end = tail(y, 0.2)
    return _Turn(
        val=val,
        best=best,
        best_loss=float(level[best]),
        start_loss=start_loss(run, float(val.values[0])),
        metric_worsens=_metric_worsens(run),
        end_loss=float(np.median(end)),
        end_lowest=float(end.min()),
        noise=noise(val.values),
        after=trend(x, y),
        train_metric=metric,
        train_then=float(train_y[0]),
        train_end=float(np.median(tail(train_y, 0.2))),
        train_after=trend(train_x, train_y),
    )


def _from(x: Numbers, y: Numbers, start: float) -> tuple[Numbers, Numbers]:
    return x[x >= start], y[x >= start]


def _worsens(turn: _Turn, limits: Limits) -> bool:
    least = max(
        limits["rise"] * abs(turn.best_loss),
        limits["progress" if turn.metric_worsens else "progress_alone"] * (turn.start_loss - turn.best_loss),
        limits["noise"] * turn.noise,
    )
    beyond = turn.rise > least and turn.end_lowest > turn.best_loss
    return beyond and turn.after.rises(limits["level"])


def _metric_worsens(run: Run) -> bool:
    """Return whether the run's other metric on validation data ends significantly below its best."""
    metric = main_metric(run)
    if metric is None:
        return False
    curve = run.curve(metric, "val").finite
    y = -curve.values if lower_is_better(metric, run) else curve.values
    level = smooth(y, 3)
    best = int(np.argmax(level)) if len(y) else 0
    if len(y) - best < 4:
        return False
    lost = float(level[best] - np.median(tail(y, 0.2)))
    return lost > 2 * noise(y) and trend(positions(curve)[best:], y[best:]).falls(0.05)


def _judge(run: Run, turn: _Turn) -> Finding:
    step, epoch = turn.val.place(turn.best)
    count = len(turn.val) - 1 - turn.best
    return overfit.finding(
        f"val_loss rose over the last {count} validations, from {turn.best_loss:.3g} to {turn.end_loss:.3g}, "
        f"while {turn.train_metric} fell from {turn.train_then:.3g} to {turn.train_end:.3g}",
        confidence=0.95 if turn.metric_worsens else 0.9,
        evidence={
            "best_epoch": epoch,
            "best_step": step,
            "best_val_loss": turn.best_loss,
            "last_val_loss": turn.end_loss,
            "last_train_loss": turn.train_end,
            "metric_worsens": turn.metric_worsens,
            "noise": turn.noise,
            "p": turn.after.p_rising,
        },
        where=Where(metric="val_loss", step=step, epoch=epoch),
        cause="the network learns what holds for the training samples alone",
        remedies=_remedies(run, epoch),
    )


def _remedies(run: Run, epoch: int | None) -> tuple[Remedy, ...]:
    stop = "stop when validation has not improved for 5 epochs, and keep the best weights"
    return (
        patched(run, stop, {"train.patience": 5, "train.restore_best": True}),
        patched(run, "penalise large weights", {"regularize.l2": 0.001}),
    )
