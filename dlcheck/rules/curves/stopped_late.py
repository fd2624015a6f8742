"""C411."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import TRAINING, course, need_course
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import STOP
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.rules.statistics import plateau_start
from dlcheck.runs import Run


@rule(
    "C411",
    "stopped-late",
    Severity.INFO,
    needs=("val_loss",),
    thresholds={
        "least_points": Threshold(10, "half of them after the best epoch make a stretch of five"),
        "share": Threshold(0.5, "Godbole et al. 2023: best step early in the run means it is too long"),
        "noise": Threshold(1.0, "a level within one standard deviation of the best is as good"),
        "moves": Threshold(0.05, "a twentieth of its whole fall; where nothing moves it is a plateau"),
    },
    references=("Godbole et al. 2023, Deep Learning Tuning Playbook",),
    prescriptions=(STOP, Prescription("plan fewer epochs, with the schedule fitted to them")),
)
def stopped_late(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a run that went on long past its best epoch.

    What it finds:
        A validation loss that came within its noise of its lowest level early, and was not better for a large
        share of the run, while it rose again or the training loss went on falling.
    Why it matters:
        The rest of the run cost time and energy and improved nothing on new samples.
    What to do:
        Stop early (train.patience), or plan fewer epochs, with the schedule fitted to them.
    Limits:
        Accuracy can still improve where the loss does not.
    Thresholds:
        least_points: Fewer validations are not judged.
        share: Share of the run after the first validation as good as the best.
        noise: Distance from the best level that counts as as good, in standard deviations of the noise.
        moves: Fall of the training loss in that time, relative to its whole fall.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook (how long to train).
    """
    val = need_course(run, ("val_loss",), int(limits["least_points"]))
    # Without noise a plateau still drifts: a hundredth of all that was gained is as good as nothing.
    close = max(limits["noise"] * val.noise, 0.01 * val.fall)
    first = plateau_start(val.level, close)
    x = val.x
    best = float(val.level.min())
    wasted = float((x[-1] - x[first]) / (x[-1] - min(x[0], 0.0)))
    if wasted <= limits["share"] or not _train_moves(run, wasted, limits, val.end > best + 2 * close):
        return
    step, epoch = val.place(first)
    yield stopped_late.finding(
        f"{wasted:.0%} of the run came after val_loss had reached its best level, {best:.3g}",
        confidence=0.9,
        evidence={"best_step": step, "best_epoch": epoch, "best_val_loss": best, "wasted_share": wasted},
        where=Where(metric="val_loss", step=step, epoch=epoch),
        cause="more epochs than the network could use",
    )


def _train_moves(run: Run, wasted: float, limits: Limits, val_worse: bool) -> bool:
    """Return whether the training loss still fell in that time: where nothing moves it is a plateau.

    Where validation worsened it is enough that training did not worsen with it, or was not logged.
    """
    for name in TRAINING:
        train = course(run, name)
        if train is not None and len(train) >= limits["least_points"]:
            then = float(train.level[min(len(train) - 1, round((1 - wasted) * len(train)))])
            least = max(limits["moves"] * train.fall, train.noise)
            return then - train.end > (-least if val_worse else least)
    return val_worse
