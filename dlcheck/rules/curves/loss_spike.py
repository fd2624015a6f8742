"""C403."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import TRAINING, Course, need_course
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import CLIP, rate
from dlcheck.rules.reference import start_loss
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.rules.statistics import smooth, spikes
from dlcheck.runs import Run

LEAST = 0.1
"""Share of the level that counts as progress at least: where nothing was learned, noise is no spike."""


@dataclass(frozen=True, slots=True)
class _Spikes:
    course: Course
    peaks: tuple[int, ...]
    """Index of the highest point of each spike."""
    height: float
    """Of the highest, above the level around it."""
    share: float
    """That height over the progress made from the start to that level."""


@rule(
    "C403",
    "loss-spike",
    Severity.WARNING,
    needs=(TRAINING,),
    thresholds={
        "least_points": Threshold(20, "the surroundings of a point are nine, and most of a series must be calm"),
        "z": Threshold(6.0, "Groeneveld et al. 2024, arXiv:2402.00838: six standard deviations"),
        "tail": Threshold(5.0, "five times what 15 % of the points exceed: beyond any of 1,000 exponential ones"),
        "share": Threshold(0.25, "a quarter of what was learned is lost for the moment; less heals unnoticed"),
        "repeated": Threshold(3.0, "one spike may be one bad batch; three are not chance"),
        "serious": Threshold(
            0.6, "healthy runs with batches of 8, or at the top of one cycle, lost up to 0.45 for a moment"
        ),
        "start": Threshold(0.05, "Godbole et al. 2023: warm-up takes up to a twentieth of the steps"),
    },
    references=(
        "Groeneveld et al. 2024, OLMo, arXiv:2402.00838",
        "Chowdhery et al. 2022, PaLM, arXiv:2204.02311, section 5.1",
    ),
    prescriptions=(CLIP, rate(0.3), Prescription("look at the samples of the batches before the first spike")),
)
def loss_spike(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find moments at which the training loss leaps up and comes back.

    What it finds:
        Points of the training loss that stand out above their surroundings, by robust deviations and by a
        share of all that had been learned. One or two that heal, and small ones, are told as information; more are a
        warning.
    Why it matters:
        Each leap throws the weights back; repeated ones are the edge of divergence.
    What to do:
        Clip the gradient, warm the rate up or lower it, and look at the batches just before a spike.
    Limits:
        A log that averages over many steps hides spikes. Adversarial and reinforcement learning leap by design.
    Thresholds:
        least_points: Fewer points are not judged.
        z: Robust deviations above the surroundings.
        tail: Height over the distance from the surroundings that 15 % of the points exceed, for single batches
            of few samples have losses with a heavy tail.
        share: Height over the progress made from the start.
        repeated: Spikes from which on they are a warning.
        serious: Height of the highest over the progress made from the start; below that they are information.
        start: Share of the run, and three points at least, that are left out as warm-up.
    Sources:
        Groeneveld et al. 2024, OLMo, arXiv:2402.00838 (spike score); Chowdhery et al. 2022, PaLM,
        arXiv:2204.02311, section 5.1 (spikes, and skipping batches).
    """
    found = _measure(run, limits)
    if found is not None:
        yield _judge(run, found, limits)


def _measure(run: Run, limits: Limits) -> _Spikes | None:
    course = need_course(run, TRAINING, int(limits["least_points"]))
    # In long series the highest value of each block stands for it: the median would hide a spike.
    y = course.highest
    places = spikes(y, limits["z"])
    skipped = max(3, int(limits["start"] * len(y)))
    level = np.minimum.accumulate(course.level)
    start = start_loss(run, float(course.y[0]))
    height = y - smooth(y, 9)
    tail = limits["tail"] * float(np.quantile(np.abs(height), 0.85))
    tall = [
        int(i)
        for i in places
        if skipped <= i < len(y) - 1
        and height[i] > max(tail, limits["share"] * max(start - level[i], LEAST * abs(level[i])))
    ]
    if not tall:
        return None
    groups = np.split(tall, np.flatnonzero(np.diff(tall) > 2) + 1)
    peaks = tuple(int(group[np.argmax(y[group])]) for group in groups)
    highest = max(peaks, key=lambda i: float(height[i]))
    progress = max(start - float(level[highest]), LEAST * abs(float(level[highest])))
    return _Spikes(course, peaks, float(height[highest]), float(height[highest]) / progress)


def _judge(run: Run, found: _Spikes, limits: Limits) -> Finding:
    repeated = len(found.peaks) >= limits["repeated"] and found.share >= limits["serious"]
    step, epoch = found.course.place(found.peaks[0])
    count = f"{len(found.peaks)} times" if len(found.peaks) > 1 else "once"
    return loss_spike.finding(
        f"{found.course.name} leapt up {count}, by up to {found.height:.3g}, and came back",
        severity=Severity.WARNING if repeated else Severity.INFO,
        confidence=0.85,
        evidence={"spikes": len(found.peaks), "height": found.height, "share_of_progress": found.share},
        where=Where(metric=found.course.name, step=step, epoch=epoch),
        cause="steps near the largest that the loss allows, or batches with extreme samples",
    )
