"""C412."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.course import need_course
from dlcheck.rules.remedy import recipe_value, scaled_lr
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.rules.statistics import tail, trend
from dlcheck.runs import Run

LOSSES = ("val_loss", "train_eval_loss", "train_loss", "batch_loss")


@rule(
    "C412",
    "undertrained",
    Severity.INFO,
    needs=(LOSSES,),
    thresholds={
        "least_points": Threshold(8, "a trend over the last half needs four points"),
        "share": Threshold(0.5, "the last half of the run"),
        "gain": Threshold(0.05, "a fall of a twentieth of the loss per tenth of the run is worth more epochs"),
        "progress": Threshold(0.02, "and of a fiftieth of all the progress made"),
        "level": Threshold(0.01, "one-sided level of the trend"),
    },
    references=("Godbole et al. 2023, Deep Learning Tuning Playbook",),
)
def undertrained(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a run that was still improving when it ended.

    What it finds:
        A validation loss (without one, a training loss) that falls significantly over the last half of the
        run, and fast enough that another tenth of the run would have gained something.
    Why it matters:
        More epochs would have given a better network.
    What to do:
        Train longer, or with a higher rate; a schedule that ends lower fits a longer run too.
    Limits:
        A loss that only nears 0 falls for ever in relative terms; the share of all progress guards
        against that. Whether the task is worth the time is not for this rule to say.
    Thresholds:
        least_points: Fewer points are not judged.
        share: Share of the run over which the trend is fitted.
        gain: Expected fall over another tenth of the run, relative to the last level.
        progress: Expected fall over another tenth of the run, relative to all progress.
        level: One-sided significance level of the trend.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook (best step in the last quarter of the run).
    """
    found = need_course(run, LOSSES, int(limits["least_points"]))
    x, y = found.x, found.y
    late_x, late_y = tail(x, limits["share"]), tail(y, limits["share"])
    fall = trend(late_x, late_y)
    latest = trend(tail(x, limits["share"] / 2, 4), tail(y, limits["share"] / 2, 4))
    gain = -max(fall.slope, latest.slope) * 0.1 * float(x[-1] - x[0]) * len(x) / (len(x) - 1)
    last = float(np.median(late_y[-3:]))
    least_gain = max(limits["gain"] * abs(last), limits["progress"] * float(np.ptp(found.level)), found.noise)
    if not fall.falls(limits["level"]) or gain <= least_gain:
        return
    step, epoch = found.place(len(found) - 1)
    yield undertrained.finding(
        f"{found.name} was still falling when the run ended at {last:.3g}",
        confidence=0.9,
        evidence={"last_loss": last, "expected_gain": gain, "p": fall.p_falling},
        where=Where(metric=found.name, step=step, epoch=epoch),
        cause="fewer steps than the network could use, or steps that are too small",
        remedies=(_longer(run), scaled_lr(run, 3.0)),
    )


def _longer(run: Run) -> Remedy:
    epochs = recipe_value(run, "train", "epochs")
    return Remedy("train twice as long", {"train.epochs": 2 * epochs} if isinstance(epochs, int) else {})
