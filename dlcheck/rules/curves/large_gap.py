"""C410."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.pairing import TRAIN_FIRST, Pair, need_pair
from dlcheck.rules.prescriptions import AUGMENT, MORE_DATA, PENALTY, SMOOTHING
from dlcheck.rules.reference import start_loss
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.statistics import tail
from dlcheck.runs import Run


@rule(
    "C410",
    "large-gap",
    Severity.INFO,
    needs=("val_loss", TRAIN_FIRST),
    thresholds={
        "least_points": Threshold(4, "the median of the last three is the end, and one before it"),
        "share": Threshold(0.5, "validation kept less than half of what training gained"),
        "noise": Threshold(3.0, "three standard deviations of the validation loss"),
    },
    references=(
        "Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 5.2",
        "Prechelt 1998, LNCS 1524",
    ),
    prescriptions=(MORE_DATA, AUGMENT, PENALTY, SMOOTHING),
)
def large_gap(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a training loss that has fallen far below the validation loss.

    What it finds:
        A gap between the losses at the end that is a large share of all that training gained from the start,
        and more than noise. The ratio of the two losses does not count: it grows without limit as the
        training loss nears 0.
    Why it matters:
        Part of what was learned does not hold for new samples; more regularisation or data has room to help.
    What to do:
        More or augmented samples, weight decay, dropout, a smaller network.
    Limits:
        A gap alone is no harm while validation still improves. Losses in different units are not compared.
    Thresholds:
        least_points: Fewer points are not judged.
        share: Gap relative to the fall of the training loss from the start.
        noise: Gap in standard deviations of the noise of validation.
    Sources:
        Goodfellow, Bengio & Courville 2016, Deep Learning, chapter 5.2; Prechelt 1998, LNCS 1524.
    """
    pair = need_pair(run, int(limits["least_points"]))
    if not pair.comparable:
        raise Unchecked("training and validation loss are not in the same unit")
    train, val = float(np.median(tail(pair.train_at, 0.1))), pair.val.end
    gained = start_loss(run, float(pair.val.y[0])) - train
    if gained > 0 and val - train > max(limits["share"] * gained, limits["noise"] * pair.val.noise):
        yield _judge(run, pair, train, (val - train) / gained)


def _judge(run: Run, pair: Pair, train: float, share: float) -> Finding:
    step, epoch = pair.val.place(len(pair.val) - 1)
    return large_gap.finding(
        f"val_loss ended at {pair.val.end:.3g}, far above the {train:.3g} of {pair.train.name}",
        confidence=0.9,
        evidence={"val_loss": pair.val.end, "train_loss": train, "gap_share": share, "noise": pair.val.noise},
        where=Where(metric="val_loss", step=step, epoch=epoch),
        cause="much of what was learned holds for the training samples alone",
    )
