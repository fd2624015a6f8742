"""C407."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import TRAINING, Course, course, need_course
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import TRAINS, rate
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.rules.scores import scores
from dlcheck.rules.statistics import plateau_start
from dlcheck.runs import Run


@rule(
    "C407",
    "plateau",
    Severity.INFO,
    needs=(TRAINING,),
    thresholds={
        "least_points": Threshold(10, "half of them on the plateau make a stretch of five"),
        "share": Threshold(0.6, "more than half of the run; a run that halves its rate at half time is none"),
        "close": Threshold(0.05, "a twentieth of all that was gained is what the rest of the run may still gain"),
        "level": Threshold(0.01, "a hundredth of the loss, whatever little was gained before"),
        "noise": Threshold(1.0, "a level within one standard deviation of the best is as good"),
        "converged": Threshold(0.1, "a loss below a tenth of its start, or an error below a tenth, is a good end"),
    },
    references=("Godbole et al. 2023, Deep Learning Tuning Playbook", "Prechelt 1998, LNCS 1524"),
    prescriptions=(
        Prescription(
            "lower the rate when validation stalls",
            {"schedule.name": "plateau"},
            only_if={"schedule.name": ("constant",)},
            expects=TRAINS,
        ),
        rate(3.0),
        Prescription("give the network more capacity, or stop where the plateau begins"),
    ),
)
def plateau(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a run whose losses stopped moving long before its end, without being good.

    What it finds:
        A training loss, and where there is one a validation loss, that came within its noise or within a small
        share of its whole fall of the lowest level early, and neither gained nor lost anything worth naming
        in most of the run.
        A loss that has fallen to a small share of its start is a converged good run, not a plateau.
    Why it matters:
        The time after it was wasted, and the level reached is not that of a network that has fitted its data.
    What to do:
        Change the rate (a schedule that falls later, or a restart with a higher one), or the capacity.
    Limits:
        Some tasks cannot be fitted better: the noise of their labels sets the level.
    Thresholds:
        least_points: Fewer points are not judged.
        share: Share of the run after the level was reached.
        close: Distance from the best level that counts as reached, relative to the whole fall.
        level: The same, relative to the best level.
        noise: The same, in standard deviations of the noise.
        converged: Level relative to the start, or one less a bounded score, below which the run ended well.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook (how long to train); Prechelt 1998, LNCS 1524.
    """
    losses = [need_course(run, TRAINING, int(limits["least_points"]))]
    val = course(run, "val_loss")
    if val is not None and len(val) >= limits["least_points"]:
        losses.append(val)
    starts = [_start(loss, limits) for loss in losses]
    risen = any(loss.end > loss.level.min() + 2 * _close(loss, limits) for loss in losses)
    flat_share = min(1 - start / (len(loss) - 1) for start, loss in zip(starts, losses, strict=True))
    if not risen and flat_share >= limits["share"] and not _converged(run, losses[0], limits):
        yield _judge(run, losses[0], starts[0], flat_share)


def _start(loss: Course, limits: Limits) -> int:
    return plateau_start(loss.level, _close(loss, limits))


def _close(loss: Course, limits: Limits) -> float:
    least = limits["level"] * abs(float(loss.level.min()))
    return max(limits["close"] * loss.fall, limits["noise"] * loss.noise, least)


def _converged(run: Run, loss: Course, limits: Limits) -> bool:
    if 0 <= loss.level.min() < limits["converged"] * loss.start:
        return True
    return any(item.bounded and item.best_level > 1 - limits["converged"] for item in scores(run, "val", "train"))


def _judge(run: Run, loss: Course, start: int, share: float) -> Finding:
    step, epoch = loss.place(start)
    return plateau.finding(
        f"{loss.name} has not moved from about {loss.level[start]:.3g} for {share:.0%} of the run",
        confidence=0.85,
        evidence={
            "level": float(loss.level[start]),
            "best": float(loss.level.min()),
            "flat_share": share,
            "noise": loss.noise,
        },
        where=Where(metric=loss.name, step=step, epoch=epoch),
        cause="a rate that is too high to settle or too low to move, or a network too small for the task",
    )
