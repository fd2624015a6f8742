"""Class codes: their range, how often each occurs, how many validate, and in which order they come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from dlcheck.checks.data.samples import Values
from dlcheck.rules.statistics import runs_of, wilson_interval
from dlcheck.runs.facts import LabelOrder, LabelRange, ValidationSize

EXAMPLES = 10


def label_range(splits: Sequence[tuple[str, Values, Values]], classes: int, ignored: int | None = None) -> LabelRange:
    """Count class codes outside 0 … ``classes`` − 1.

    Args:
        splits: name, codes and the samples' places of each split; codes may be (samples, time).
        classes: outputs of the network.
        ignored: the code of targets that are left out of the loss.
    """
    counted, bad, split, examples = 0, 0, "train", tuple[int, ...]()
    seen: list[Values] = []
    for name, codes, places in splits:
        judged = codes != ignored if ignored is not None else np.ones(codes.shape, dtype=bool)
        wrong = judged & ~((codes >= 0) & (codes < classes))
        counted += int(judged.sum())
        seen.append(codes[judged])
        if wrong.any() and not bad:
            split = name
            rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))[:EXAMPLES]
            examples = tuple(int(places[row]) for row in rows)
        bad += int(wrong.sum())
    every = np.concatenate(seen) if seen else np.empty(0)
    low, high = (int(every.min()), int(every.max())) if every.size else (0, 0)
    return LabelRange(counted, bad, low, high, classes, ignored, examples, split=split)


def validation_size(samples: int, codes: Values | None, classes: int | None, score: float | None) -> ValidationSize:
    """Return how far a validation accuracy can be trusted.

    Args:
        samples: of the validation split.
        codes: its class codes; None for numbers to predict.
        classes: how many there are.
        score: accuracy to expect; None takes the worst case, one half.
    """
    if classes is None:
        return ValidationSize(samples)
    low, high = wilson_interval(0.5 if score is None else score, samples)
    smallest = None if codes is None else int(np.bincount(codes.astype(np.int64).clip(0), minlength=classes).min())
    return ValidationSize(samples, score, (high - low) / 2, classes, smallest)


def label_order(
    epochs: Sequence[Sequence[Values]],
    *,
    classes: int | None,
    same_order: bool | None = None,
    shuffled: bool | None = None,
    sequence: bool = False,
) -> LabelOrder:
    """Measure by a runs test whether samples come sorted (Wald and Wolfowitz 1940, Ann. Math. Stat. 11(2)).

    Of more than two classes the number of runs has mean and variance as in Barton and David 1957, Biometrika 44.

    Args:
        epochs: for one or two epochs, the targets batch by batch in loading order; the first is judged.
        classes: None for numbers, which count as above or below their median.
        same_order: the epochs' inputs came in the same order.
        shuffled: the loader draws at random.
        sequence: samples are pieces of one series.
    """
    batches = [batch.reshape(len(batch), -1)[:, 0] for batch in epochs[0]]
    joined = np.concatenate(batches)
    if classes is None:
        median = np.median(joined)
        batches = [(batch > median).astype(np.int64) for batch in batches]
        joined = np.concatenate(batches)
    runs, expected, deviation = runs_of(joined)
    z = (runs - expected) / deviation if deviation > 0 else 0.0
    return LabelOrder(
        labels=len(joined),
        classes=len(np.unique(joined)) if classes is None else classes,
        runs=runs,
        expected_runs=expected,
        z=z,
        p=NormalDist().cdf(z) if deviation > 0 else 1.0,
        batch_diversity=_diversity(batches, joined),
        same_order=same_order,
        shuffled=shuffled,
        sequence=sequence,
    )


def _diversity(batches: Sequence[npt.NDArray[np.int64]], codes: Values) -> float | None:
    """Return the mean over batches of distinct labels over what random batches of that size would have."""
    n = len(codes)
    counts = np.unique(codes, return_counts=True)[1]
    if len(batches) < 2 or len(counts) < 2:
        return None
    # Drawn without replacement; a class of c is missing with C(n − c, b) / C(n, b).
    expected = {size: _expected_distinct(counts, size, n) for size in {len(batch) for batch in batches}}
    return float(np.mean([len(np.unique(batch)) / expected[len(batch)] for batch in batches]))


def _expected_distinct(counts: npt.NDArray[np.int64], size: int, n: int) -> float:
    total = 0.0
    for count in counts.tolist():
        if n - count < size:
            total += 1.0
            continue
        log = math.lgamma(n - count + 1) - math.lgamma(n - count - size + 1)
        log += math.lgamma(n - size + 1) - math.lgamma(n + 1)
        total += 1 - math.exp(log)
    return total
