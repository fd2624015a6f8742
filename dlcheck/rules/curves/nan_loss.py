"""C401."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.course import signal_series
from dlcheck.rules.prescription import prescribed
from dlcheck.rules.prescriptions import CLIP, FULL_PRECISION, rate
from dlcheck.rules.rule import Limits, rule
from dlcheck.runs import Curve, Run

LOSSES = ("batch_loss", "train_loss", "train_eval_loss", "val_loss")
BEFORE = 5
"""Finite values before the first non-finite one that tell how it came."""


@dataclass(frozen=True, slots=True)
class _NonFinite:
    metric: str
    curve: Curve
    first: int
    count: int

    @property
    def recovered(self) -> bool:
        return bool(np.isfinite(self.curve.values[-1]))

    @property
    def kind(self) -> str:
        return "NaN" if np.isnan(self.curve.values[self.first]) else "infinite"

    @property
    def cause(self) -> str:
        """What the way it came speaks for."""
        before = self.curve.values[max(0, self.first - BEFORE) : self.first]
        if self.metric == "val_loss":
            return "validation data or arithmetic that training does not share: an empty batch, half precision, log 0"
        if not len(before):
            return "non-finite from the first value: input data, initialisation, precision, or a rate far too high"
        if len(before) == BEFORE and before[-1] > 2 * np.median(before[:3]):
            return "it rose before: steps too large for the loss"
        return "most often steps too large for the loss, one bad batch, or arithmetic without a value (log 0, 0/0)"


REMEDIES = (rate(0.1), CLIP, FULL_PRECISION)


@rule(
    "C401",
    "nan-loss",
    Severity.ERROR,
    needs=(LOSSES,),
    references=("Goodfellow, Bengio & Courville 2016, Deep Learning, chapters 8 and 11",),
    prescriptions=REMEDIES,
)
def nan_loss(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a loss that became NaN or infinite.

    What it finds:
        A value of a training or validation loss that was logged as NaN or infinity. Steps at which nothing
        was logged do not count, nor do other metrics: the precision of a class without samples is NaN in
        healthy runs.
    Why it matters:
        After a step with a NaN gradient the weights are NaN and stay so: all later training is lost.
    What to do:
        Lower the learning rate, clip the gradient, look at the batch of the first such step. If the loss has
        a logarithm, a division or a square root of its own, keep its argument away from 0. With float16,
        use bfloat16 or a loss scaler.
    Limits:
        A logger that leaves out or replaces NaN hides it from this rule; masked-nan looks for that. A loss
        that is finite again at the end, and one of validation alone, is a warning rather than an error.
    Thresholds:
        None: the test is exact.
    Sources:
        Goodfellow, Bengio & Courville 2016, Deep Learning, chapters 8 and 11.
    """
    seen = [found for name in LOSSES if (found := _look(name, signal_series(run, name))) is not None]
    if seen:
        yield _judge(run, min(seen, key=_when))


def _look(metric: str, curve: Curve) -> _NonFinite | None:
    finite = np.isfinite(curve.values)
    if finite.all():
        return None
    places = np.flatnonzero(~finite)
    return _NonFinite(metric, curve, int(places[0]), len(places))


def _when(found: _NonFinite) -> tuple[bool, float]:
    """Training before validation, then the earlier step; without steps the earlier share of the series."""
    step = found.curve.steps[found.first]
    return found.metric == "val_loss", float(step) if np.isfinite(step) else found.first / len(found.curve)


def _judge(run: Run, found: _NonFinite) -> Finding:
    step, epoch = found.curve.place(found.first)
    place = f"at step {step}" if step is not None else f"at point {found.first + 1} of the log"
    after = ", and was finite again at the end" if found.recovered else ", and was so at the end"
    return nan_loss.finding(
        f"{found.metric} became {found.kind} {place}{after}",
        severity=Severity.WARNING if found.recovered or found.metric == "val_loss" else Severity.ERROR,
        confidence=0.99,
        evidence={
            "first_step": step,
            "first_epoch": epoch,
            "nonfinite_values": found.count,
            "logged_values": len(found.curve),
            "last_finite": _last_finite(found),
        },
        where=Where(metric=found.metric, step=step, epoch=epoch),
        cause=found.cause,
        remedies=_remedies(run, found),
    )


def _remedies(run: Run, found: _NonFinite) -> tuple[Remedy, ...]:
    if found.metric == "val_loss":
        look = Remedy("look for the first validation batch whose loss is not finite, and at its inputs and labels")
        return (look, *prescribed(run, FULL_PRECISION))
    return prescribed(run, *REMEDIES)


def _last_finite(found: _NonFinite) -> float | None:
    return float(found.curve.values[found.first - 1]) if found.first else None
