"""C411."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.statistics import noise, positions, smooth
from dlcheck.runs import Run
from dlcheck.runs.signals import signal_curve


@rule(
    "C411",
    "stopped-late",
    Severity.INFO,
    needs=("val_loss",),
    thresholds={
        "least_points": Threshold(10, "half of them after the best epoch make a stretch of five"),
        "share": Threshold(0.5, "Godbole et al. 2023: best step early in the run means it is too long"),
        "noise": Threshold(1.0, "a level within one standard deviation of the best is as good"),
    },
    references=("Godbole et al. 2023, Deep Learning Tuning Playbook",),
)
def stopped_late(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a run that went on long past its best epoch.

    What it finds:
        A validation loss that came within its noise of its lowest level early, and was not better for a large
        share of the run.
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
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook (how long to train).
    """
    val = signal_curve(run, "val_loss").finite
    if len(val) < limits["least_points"]:
        least = int(limits["least_points"])
        raise Unchecked(f"only {len(val)} finite values of val_loss; {least} are needed")
    level = smooth(val.values, 3)
    # Without noise a plateau still drifts: a thousandth of all that was gained is as good as nothing.
    close = max(limits["noise"] * noise(val.values), 1e-3 * float(np.ptp(val.values)))
    first = int(np.argmax(level <= level.min() + close))
    x = positions(val)
    wasted = float((x[-1] - x[first]) / x[-1]) if x[-1] > 0 else 0.0
    if wasted <= limits["share"]:
        return
    step, epoch = val.place(first)
    yield stopped_late.finding(
        f"{wasted:.0%} of the run came after val_loss had reached its best level, {level.min():.3g}",
        confidence=0.9,
        evidence={
            "best_step": step,
            "best_epoch": epoch,
            "best_val_loss": float(level.min()),
            "wasted_share": wasted,
        },
        where=Where(metric="val_loss", step=step, epoch=epoch),
        cause="more epochs than the network could use",
        remedies=(patched(run, "stop when validation has not improved for 5 epochs", {"train.patience": 5}),),
    )
