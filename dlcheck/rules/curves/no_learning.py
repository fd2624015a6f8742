"""C406."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Severity, Where
from dlcheck.rules.remedy import scaled_lr
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.statistics import noise, positions, smooth, thin
from dlcheck.runs import Run
from dlcheck.runs.signals import first_present, signal_curve

TRAINING = ("train_eval_loss", "train_loss", "batch_loss")
LONG = 30
"""Points from which a wider window is averaged over."""


@dataclass(frozen=True, slots=True)
class _Level:
    metric: str
    best: float
    best_x: float
    noise: float
    """Of the best level, a median over a window."""


@dataclass(frozen=True, slots=True)
class _Reference:
    loss: float
    what: str


@rule(
    "C406",
    "no-learning",
    Severity.ERROR,
    needs=(TRAINING,),
    thresholds={
        "least_points": Threshold(3, "a level needs a median of three"),
        "gain": Threshold(0.02, "measured: a fiftieth is within the run-to-run spread of an untrained network"),
        "noise": Threshold(3.0, "three standard errors of the level"),
    },
    references=("Karpathy 2019, A Recipe for Training Neural Networks",),
)
def no_learning(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a loss that never became significantly better than that of a constant answer.

    What it finds:
        A training loss, or a validation loss, whose best level is not significantly below the loss of the
        best constant predictor (for classes, the entropy of their frequencies). Where that is not known, the
        loss before the first step stands in for it, and only the training loss is judged.
    Why it matters:
        Whatever the network does, answering the same to every input would do as well.
    What to do:
        When the training loss itself is stuck: check that the rate is neither far too high nor far too low,
        that the optimizer holds all parameters, and that the gradient reaches them. When only validation is:
        the labels say nothing about the inputs, or the two splits are prepared differently.
    Limits:
        A very hard task can need longer than the run to leave the level of a constant answer. Regularisation
        that is added to the logged loss makes the comparison stricter.
    Thresholds:
        least_points: Fewer points are not judged.
        gain: Improvement on the reference, relative to it, that counts as learning.
        noise: Improvement that counts as learning, in standard errors of the level.
    Sources:
        Karpathy 2019, A Recipe for Training Neural Networks (the input-independent baseline).
    """
    reference = _reference(run)
    train = _level(run, first_present(run, *TRAINING) or TRAINING[0], limits)
    if not _better(train, reference, limits):
        yield _stuck(run, train, reference)
    elif reference.what == "trivial_loss" and len(signal_curve(run, "val_loss").finite):
        val = _level(run, "val_loss", limits)
        if not _better(val, reference, limits):
            yield _uninformed(train, val, reference)


def _reference(run: Run) -> _Reference:
    for name in ("trivial_loss", "initial_loss", "expected_first_loss"):
        value = run.number(name)
        if value is not None and math.isfinite(value):
            return _Reference(value, name)
    first = signal_curve(run, "batch_loss").finite
    if len(first) and first.steps[0] <= 1:
        return _Reference(float(first.values[0]), "first batch_loss")
    raise Unchecked("the loss of a constant answer is not known", "dlcheck train RECIPE")


def _level(run: Run, metric: str, limits: Limits) -> _Level:
    curve = signal_curve(run, metric).finite
    if len(curve) < limits["least_points"]:
        least = int(limits["least_points"])
        raise Unchecked(f"only {len(curve)} finite values of {metric}; {least} are needed")
    x, y = thin(positions(curve), curve.values)
    window = 9 if len(y) >= LONG else 3
    level = smooth(y, window)[window // 2 : len(y) - window // 2]  # whole windows only
    best = int(np.argmin(level))
    return _Level(metric, float(level[best]), float(x[best + window // 2]), noise(y) / math.sqrt(window))


def _better(level: _Level, reference: _Reference, limits: Limits) -> bool:
    least = max(limits["gain"] * abs(reference.loss), limits["noise"] * level.noise)
    return level.best < reference.loss - least


def _stuck(run: Run, level: _Level, reference: _Reference) -> Finding:
    return no_learning.finding(
        f"{level.metric} never became significantly better than {reference.loss:.4g} ({_words(reference)})",
        confidence=0.95 if reference.what == "trivial_loss" else 0.85,
        evidence=_evidence(level, reference),
        where=Where(metric=level.metric, step=int(level.best_x)),
        cause="a rate far too high or too low, parameters without gradient or optimizer, or dead units",
        remedies=(scaled_lr(run, 0.1), scaled_lr(run, 10.0)),
    )


def _uninformed(train: _Level, val: _Level, reference: _Reference) -> Finding:
    return no_learning.finding(
        f"val_loss never became significantly better than {reference.loss:.4g} "
        f"({_words(reference)}), though {train.metric} fell to {train.best:.3g}",
        confidence=0.95,
        evidence=_evidence(val, reference) | {"best_train_loss": train.best},
        where=Where(metric="val_loss", step=int(val.best_x)),
        cause="what is learned by heart says nothing about new samples: labels that do not belong to their "
        "inputs, or splits that are prepared differently",
    )


def _evidence(level: _Level, reference: _Reference) -> dict[str, float]:
    return {
        "best_loss": level.best,
        reference.what.replace(" ", "_"): reference.loss,
        "noise": level.noise,
    }


def _words(reference: _Reference) -> str:
    known = {
        "trivial_loss": "the best constant answer",
        "initial_loss": "its value before the first step",
        "expected_first_loss": "an untrained network",
    }
    return known.get(reference.what, "its first value")
