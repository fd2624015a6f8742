"""G318."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.course import LARGEST, signal_series
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.runs import Run

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Epoch:
    number: int
    begins: float
    """Mean of its first losses."""
    ends: float
    """Mean of its last quarter."""
    error: float
    """Standard error of the first mean."""


@rule(
    "G318",
    "weights-reset",
    Severity.ERROR,
    needs=("batch_loss",),
    thresholds={
        "epochs": Threshold(4, "three returns to the start are no chance"),
        "losses": Threshold(6, "fewer in an epoch tell neither where it began nor where it ended"),
        "most": Threshold(0.8, "every epoch, but for one that began with lucky samples"),
        "back": Threshold(0.65, "two thirds of what was gained are lost: the rest is the chance of a new draw"),
        "each": Threshold(0.4, "the same of a single epoch, whose first batches may be easy ones"),
        "beyond": Threshold(0.5, "epochs that begin worse than the first one unlearn something else"),
        "gain": Threshold(0.15, "where an epoch gains less than that, its loss tells nothing"),
        "errors": Threshold(4.0, "standard errors: once in 30,000 by chance"),
    },
    references=("PyTorch documentation, torch.nn.Module.apply (the usual way to draw weights anew)",),
)
def weights_reset(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find training that begins anew with every epoch.

    What it finds:
        Losses of batches that return, at the beginning of each epoch, to where the first epoch began, while
        each epoch ends far below that.
    Why it matters:
        Nothing is kept from one epoch to the next: the result is that of the last epoch alone.
    What to do:
        Build and initialise the model once, before the loop over epochs; look for reset_parameters,
        model.apply(init) or load_state_dict of the first weights inside it.
    Limits:
        Needs the losses of single batches. Folds of a cross-validation that are trained one after the other
        look the same, where they are taken for epochs of one run.
    Thresholds:
        epochs: Epochs, at least.
        losses: Losses of batches an epoch, at least.
        most: Share of the epochs that must begin anew.
        back: Share of the gain of an epoch that must be lost at the beginning of the next one, in the median.
        each: The same of each epoch that counts.
        beyond: The same, by which a beginning may lie above that of the first epoch.
        gain: Gain of an epoch relative to where the first one began, at least.
        errors: Gain in standard errors of the mean of first losses, at least.
    Sources:
        PyTorch documentation, torch.nn.Module.apply.
    """
    epochs = _epochs(run, int(limits["losses"]))
    if len(epochs) < limits["epochs"]:
        raise Unchecked(f"fewer than {limits['epochs']:.0f} epochs with the losses of their batches")
    begins, ends = float(np.median([epoch.begins for epoch in epochs[1:]])), _ends(epochs)
    gain = epochs[0].begins - ends
    error = float(np.median([epoch.error for epoch in epochs[:-1]]))
    if gain < max(limits["gain"] * abs(epochs[0].begins), limits["errors"] * error):
        return
    anew = [after for before, after in pairwise(epochs) if after.begins - before.ends >= limits["each"] * gain]
    returns = limits["back"] * gain <= begins - ends <= (1 + limits["beyond"]) * gain
    if returns and len(anew) >= limits["most"] * (len(epochs) - 1):
        yield _judge(epochs, begins, len(anew))


def _ends(epochs: list[_Epoch]) -> float:
    return float(np.median([epoch.ends for epoch in epochs[:-1]]))


def _epochs(run: Run, least: int) -> list[_Epoch]:
    curve = signal_series(run, "batch_loss").finite
    known = np.isfinite(curve.epochs)
    numbers, values = curve.epochs[known], curve.values[known].clip(-LARGEST, LARGEST)
    found = []
    for number in np.unique(numbers):
        losses = values[numbers == number]
        if len(losses) >= least:
            found.append(_epoch(int(number), losses))
    return found


def _epoch(number: int, losses: Numbers) -> _Epoch:
    head, tail = losses[: max(2, len(losses) // 12)], losses[-max(2, len(losses) // 4) :]
    spread = float(np.std(tail, ddof=1))
    return _Epoch(number, float(head.mean()), float(tail.mean()), spread / len(head) ** 0.5)


def _judge(epochs: list[_Epoch], begins: float, anew: int) -> Finding:
    ends, pairs = _ends(epochs), len(epochs) - 1
    return weights_reset.finding(
        f"{anew} of {pairs} epochs began at about {begins:.3g}, as the first one did ({epochs[0].begins:.3g}), "
        f"though the epochs before them had ended at {ends:.3g}",
        confidence=0.93,
        evidence={
            "began_anew": anew,
            "epochs": pairs,
            "first_loss": epochs[0].begins,
            "epochs_begin_at": begins,
            "epochs_end_at": ends,
        },
        where=Where(metric="batch_loss", epoch=epochs[1].number),
        cause="weights that are drawn or loaded anew at the beginning of every epoch",
        remedies=(
            Remedy("build and initialise the model once, before the loop over epochs"),
            Remedy("look for reset_parameters, model.apply(…) or load_state_dict inside the loop"),
        ),
    )
