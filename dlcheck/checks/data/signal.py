"""Whether labels say anything about inputs, as given or in another order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcheck.checks.data.features import columns, reduce
from dlcheck.checks.data.samples import Index, Numbers, Samples, Values
from dlcheck.checks.data.simple import (
    Measure,
    Model,
    Reals,
    Score,
    answers,
    chance_of,
    fit,
    measure,
    models,
    out_of_fold,
)
from dlcheck.runs.facts import LabelSignal

MOST = 1500
"""Samples of a split that simple models see."""
LEAST = 12
"""Validation samples below which no score is taken."""
LEAST_OWN = 60
"""Validation samples from which on models are fitted within validation."""
SHIFTS = (1, -1, 2, -2, 3, -3)
LOOKS_Z = 3.3
"""Normal quantile of an interval that holds for all shifts and orders tried together (Bonferroni)."""
NEAR_CHANCE = 0.25
"""A score in the lower quarter between chance and 1 is worth a look at other orders."""
SERIES = 0.3
"""Mean correlation of neighbouring samples' features, from which on they are pieces of one series: a shifted label
then says something of the input even where all is in order."""

Reorder = Callable[[Values], Values]


@dataclass(frozen=True, slots=True)
class Part:
    """A split as a simple model sees it."""

    x: Numbers
    y: Values
    """(samples,): class codes or numbers."""
    index: Index
    labels: Values
    """Of the whole split by place; where that is not known, of these samples."""

    def shifted(self, shift: int) -> Part:
        """Return the samples with the labels that stand ``shift`` places later."""
        place = self.index + shift
        kept = (place >= 0) & (place < len(self.labels))
        return Part(self.x[kept], self.labels[place[kept]], self.index[kept], self.labels)

    def reordered(self, order: Reorder) -> Part:
        """Return the samples with the labels in another order."""
        return replace(self, y=order(self.labels)[self.index])


@dataclass(frozen=True, slots=True)
class Signal:
    """How well a model does on two splits, and the means to do it again with other labels."""

    model: Model
    classes: int | None
    train: Measure
    val: Measure
    predicted: Reals
    """On validation, by the model fitted on training as it is given."""

    def cross(self, part: Part, z: float = 1.96, folds: int = 0) -> Measure:
        """Return the out-of-fold score on a split."""
        return measure(out_of_fold(self.model, part.x, part.y, classes=self.classes, folds=folds), part.y, z=z)


@dataclass(frozen=True, slots=True)
class Found:
    """The best score with labels in another order."""

    score: Measure
    shift: int = 0
    split: str = ""
    order: str = ""


def parts_of(train: Samples, val: Samples) -> tuple[Part, Part]:
    """Return the splits' first target and few features, at most 1,500 samples each."""
    ours, theirs = train.some(MOST), val.some(MOST)
    x, other = reduce(columns(ours), columns(theirs), scale=not train.image)
    return _part(ours, x), _part(theirs, other)


def _part(samples: Samples, x: Numbers) -> Part:
    target = samples.target.reshape(len(samples), -1)[:, 0]
    if samples.labels is None or (not samples.whole and (samples.index < 0).any()):
        known = samples.whole and (samples.index >= 0).all()
        return Part(x, target, np.arange(len(x)) if not known else samples.index, target)
    labels = samples.labels.reshape(len(samples.labels), -1)[:, 0]
    if samples.target.dtype.kind == "f":  # labels of single samples are in their own unit, targets standardised
        labels = _in_units(labels, samples, target)
    return Part(x, target, samples.index, labels)


def _in_units(labels: Values, samples: Samples, target: Values) -> Values:
    raw = labels[samples.index].astype(np.float64)
    if np.ptp(raw) == 0 or np.allclose(raw, target):
        return labels
    slope, offset = np.polyfit(raw, target, 1)
    return np.asarray(slope * labels + offset)


def label_signal(train: Samples, val: Samples, classes: int | None) -> LabelSignal | None:
    """Fit the better of two simple models, and try other orders of the labels where it finds nothing.

    Other orders are tried only where the score as given is near chance in training, or validation's is far below;
    their intervals hold for all tries together.

    Args:
        train: Training samples.
        val: Validation samples.
        classes: How many; None for numbers to predict.

    Returns:
        None where there are too few samples.
    """
    ours, theirs = parts_of(train, val)
    if len(theirs.x) < LEAST or len(ours.x) < 3 * LEAST or not ours.x.shape[1]:
        return None
    score: Score = "r2" if classes is None else "accuracy"
    signal = _better(ours, theirs, models(score, table=not train.image), classes)
    chance = chance_of(theirs.y, score)
    own = signal.cross(theirs) if len(theirs.x) >= LEAST_OWN else None
    fact = LabelSignal(
        score=score,
        chance=chance,
        train_score=signal.train.value,
        train_low=signal.train.low,
        train_high=signal.train.high,
        val_score=signal.val.value,
        val_low=signal.val.low,
        val_high=signal.val.high,
        val_own_score=None if own is None else own.value,
        val_own_low=None if own is None else own.low,
        model=signal.model.name,
    )
    known = (train.index >= 0).all() and (val.index >= 0).all()
    if known and _suspicious(signal, chance, chance_of(ours.y, score)) and not _series(train):
        return _with_orders(fact, ours, theirs, signal)
    return fact


def _better(train: Part, val: Part, kinds: Iterable[Model], classes: int | None) -> Signal:
    found = []
    for model in kinds:
        crossed = measure(out_of_fold(model, train.x, train.y, classes=classes), train.y)
        predicted = answers(fit(model, train.x, train.y), val.x, classes)
        found.append(Signal(model, classes, crossed, measure(predicted, val.y), predicted))
    return max(found, key=lambda signal: signal.train.value)


def _suspicious(signal: Signal, chance: float, train_chance: float) -> bool:
    in_training = signal.train.low < train_chance + NEAR_CHANCE * (1 - train_chance)
    in_validation = signal.val.low < chance + NEAR_CHANCE * (1 - chance)
    return in_training or (in_validation and signal.val.high < signal.train.low)


def _series(samples: Samples) -> bool:
    """Return whether neighbouring samples resemble each other."""
    neighbours = np.flatnonzero(np.diff(samples.index) == 1)[:2000]
    flat = columns(samples, side=8)
    if len(neighbours) < 10:
        return False
    flat = flat - flat.mean(axis=0)
    power = float((flat * flat).mean())
    return power > 0 and float((flat[neighbours] * flat[neighbours + 1]).mean()) > SERIES * power


def _with_orders(fact: LabelSignal, train: Part, val: Part, signal: Signal) -> LabelSignal:
    """Add the best shift and the best other order to the fact."""
    in_training = signal.train.value < (fact.val_own_score or 0.0) or signal.train.low <= _limit(train, signal)
    tries = _train_tries if in_training else _val_tries
    tried = list(tries(train, val, signal))
    shifts, orders = ([found for found in tried if bool(found.order) is ordered] for ordered in (False, True))
    shifted = max(shifts, key=lambda found: found.score.low)
    best = max(orders, key=lambda found: found.score.low, default=None)
    before = signal.train if in_training else signal.val
    if shifted.score.low > before.high:
        fact = replace(
            fact,
            shift=shifted.shift,
            shift_split=shifted.split,
            shift_score=shifted.score.value,
            shift_low=shifted.score.low,
        )
    else:
        fact = replace(fact, shift=0)
    if best is not None and best.score.low > before.high and best.score.low > (fact.shift_low or -np.inf):
        fact = replace(fact, reordered_score=best.score.value, reordered_low=best.score.low, order=best.order)
    return fact


def _limit(train: Part, signal: Signal) -> float:
    score: Score = "r2" if signal.classes is None else "accuracy"
    chance = chance_of(train.y, score)
    return chance + NEAR_CHANCE * (1 - chance)


# Sorting by label is no order to try: where inputs drift along a file, any stretches of it can be told apart.
_ORDERS: dict[str, Reorder] = {
    "reversed": lambda labels: labels[::-1],
}


def _val_tries(train: Part, val: Part, signal: Signal) -> Iterable[Found]:
    """Yield the scores of the model as fitted on validation labels in other orders."""

    def scored(part: Part) -> Measure:
        kept = np.isin(val.index, part.index)
        return measure(signal.predicted[kept], part.y, z=LOOKS_Z)

    for shift in SHIFTS:
        yield Found(scored(val.shifted(shift)), shift, "val")
    for name, order in _ORDERS.items():
        yield Found(scored(val.reordered(order)), split="val", order=f"{name}, in validation")


def _train_tries(train: Part, val: Part, signal: Signal) -> Iterable[Found]:
    """Yield the out-of-fold scores on training labels in other orders; a shift may hold for validation too."""
    for shift in SHIFTS:
        moved = train.shifted(shift)
        score = signal.cross(moved, LOOKS_Z, folds=3)
        split = "train"
        if score.low > signal.train.high:
            split = "both" if _shared(moved, val, shift, signal) else "train"
        yield Found(score, shift, split)
        if split == "both" or score.low > NEAR_CHANCE + (1 - NEAR_CHANCE) * signal.train.high:
            return
    for name, order in _ORDERS.items():
        yield Found(signal.cross(train.reordered(order), LOOKS_Z, folds=3), split="train", order=f"{name}, in training")


def _shared(train: Part, val: Part, shift: int, signal: Signal) -> bool:
    """Return whether validation labels fit better when they are shifted like those of training."""
    fitted: Any = fit(signal.model, train.x, train.y)
    moved = val.shifted(shift)
    given = measure(answers(fitted, val.x, signal.classes), val.y).value
    return measure(answers(fitted, moved.x, signal.classes), moved.y).value > given
