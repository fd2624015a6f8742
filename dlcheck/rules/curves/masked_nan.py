"""C419."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.course import LARGEST, TRAINING, signal_series
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import CLIP, FULL_PRECISION, rate
from dlcheck.rules.rule import Limits, Threshold, rule
from dlcheck.runs import Curve, Run

CEILINGS = {
    87.3365: "the negative logarithm of the smallest float32",
    65504.0: "the largest float16",
    3.4028235e38: "the largest float32",
    1.7976931348623157e308: "the largest float64",
}
"""Values at which arithmetic or a writer stops, in place of infinity."""

MOST_DECIMALS = 8
"""Values with more were not rounded to decimals."""


@dataclass(frozen=True, slots=True)
class _Mask:
    name: str
    curve: Curve
    first: int
    how: str


@rule(
    "C419",
    "masked-nan",
    Severity.ERROR,
    needs=(TRAINING,),
    thresholds={
        "run": Threshold(3, "three points in a row; one or two are a skipped step of mixed precision"),
        "frozen": Threshold(10, "ten equal values where neighbours had differed until then"),
        "moved": Threshold(1e-3, "a thousandth: neighbours that differed by more were not rounded to equal"),
        "still": Threshold(1e-4, "a rate of less than that of its peak moves no digit of a loss in single precision"),
    },
    references=(
        "Micikevicius et al. 2018, Mixed Precision Training, ICLR, arXiv:1710.03740",
        "Hugging Face transformers, TrainingArguments.logging_nan_inf_filter",
    ),
    prescriptions=(
        rate(0.1),
        CLIP,
        FULL_PRECISION,
        Prescription("switch off the logger's filter of NaN (logging_nan_inf_filter=False)"),
    ),
)
def masked_nan(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a loss that was NaN or infinite, and that the logger wrote as something else.

    What it finds:
        A training loss that drops to exactly 0 or freezes at one value to the last digit while it had moved
        from point to point before; one that sits at a value where arithmetic saturates (87.3365, 65504,
        3.4e38); or a gradient norm that is not finite to the end while the loss looks fine.
    Why it matters:
        The run is as lost as one with NaN, and nothing in its loss says so.
    What to do:
        Switch the filter of the logger off, and treat it as NaN: lower the rate, clip the gradient, full
        precision.
    Limits:
        A loss that has nearly reached 0 and is logged with few digits also repeats itself; such small
        changes do not count.
    Thresholds:
        run: Points in a row at 0 or at a ceiling, up to the end.
        frozen: Points in a row at any other value, up to the end.
        moved: Middle difference of neighbours before, relative to the value before.
        still: Learning rate over its peak, below which a loss that stands still is none of a logger's.
    Sources:
        Micikevicius et al. 2018, arXiv:1710.03740 (overflow); documentation of Hugging Face's
        logging_nan_inf_filter, which writes 0 or the running mean.
    """
    for name in TRAINING:
        found = _look(run, name, limits)
        if found is not None:
            yield _judge(run, found)
            return


def _look(run: Run, name: str, limits: Limits) -> _Mask | None:
    curve = signal_series(run, name)
    values = curve.values
    if len(values) < limits["run"] or not np.isfinite(values[-1]):
        return None
    first = _frozen_from(values)
    length, last = len(values) - first, float(values[-1])
    ceiling = next((words for top, words in CEILINGS.items() if abs(abs(last) - top) <= 2e-6 * top), None)
    if ceiling is not None and length >= limits["run"]:
        return _Mask(name, curve, first, f"sits at {last:.6g}, {ceiling}")
    if first >= limits["run"] and _moved(values[:first]) > limits["moved"]:
        if _rounded(values[:first]):
            return _gradient(run, name, curve, limits)
        if last == 0 and length >= limits["run"]:
            return _Mask(name, curve, first, "dropped to exactly 0")
        if length >= limits["frozen"] and not _stands_still(run, first / len(values), limits):
            return _Mask(name, curve, first, f"froze at {last:.6g} to the last digit")
    return _gradient(run, name, curve, limits)


def _stands_still(run: Run, share: float, limits: Limits) -> bool:
    """Return whether the rate had come down to nothing by then: weights that do not move repeat their loss."""
    rates = signal_series(run, "lr").values
    late = rates[round(share * len(rates)) :]
    known = len(late) and bool(np.isfinite(rates).all())
    return bool(known and rates.max() > 0 and np.median(late) <= limits["still"] * rates.max())


def _frozen_from(values: np.ndarray) -> int:
    """Return the first index from which all values equal the last."""
    if len(values) > 1 and values[-2] != values[-1]:
        return len(values) - 1
    differs = np.flatnonzero(values != values[-1])
    return int(differs[-1]) + 1 if len(differs) else 0


def _moved(before: np.ndarray) -> float:
    """Return the middle difference of the last neighbours, relative to their level; infinite ones count."""
    late = before[-11:]
    finite = np.clip(late[np.isfinite(late)], -LARGEST, LARGEST)
    if len(finite) < 3 or len(finite) < len(late):
        return float("inf") if len(finite) < len(late) else 0.0
    return float(np.median(np.abs(np.diff(finite)))) / max(abs(float(np.median(finite))), 1e-6)


def _rounded(before: np.ndarray) -> bool:
    """Return whether the value before is within ten units of the last decimal that was logged."""
    late = np.clip(before[np.isfinite(before)][-100:], -LARGEST, LARGEST)
    for decimals in range(MOST_DECIMALS):
        if len(late) and np.allclose(late, np.round(late, decimals), rtol=0, atol=1e-12):
            return bool(abs(late[-1]) <= 10 * 10.0**-decimals)
    return False


def _gradient(run: Run, name: str, curve: Curve, limits: Limits) -> _Mask | None:
    norms = signal_series(run, "grad_norm").values
    finite = np.flatnonzero(np.isfinite(norms))
    first = int(finite[-1]) + 1 if len(finite) else 0
    if not len(norms) or len(norms) - first < limits["run"]:
        return None
    share = round(first / len(norms) * len(curve))
    return _Mask(name, curve, min(share, len(curve) - 1), "looks finite while the norm of the gradient is not")


def _judge(run: Run, found: _Mask) -> Finding:
    step, epoch = found.curve.place(found.first)
    before = float(found.curve.values[found.first - 1]) if found.first else None
    return masked_nan.finding(
        f"{found.name} {found.how}: a NaN or an infinity that was not logged as such",
        confidence=0.85,
        evidence={
            "value": float(found.curve.values[-1]),
            "value_before": before,
            "points": len(found.curve) - found.first,
        },
        where=Where(metric=found.name, step=step, epoch=epoch),
        cause="a loss or a gradient that became NaN or infinite, replaced by the logger or by saturation",
    )
