"""Reading again: do validation samples stay the same, and do training samples come in the same order?"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch

from dlcheck.checks.data.read import as_array
from dlcheck.checks.data.samples import Values, row_digests
from dlcheck.components.batches import Batch, Batches
from dlcheck.runs.facts import ValidationRepeat

MOST = 2000
"""Validation samples that are read twice."""
MOST_LABELS = 20_000
SECONDS = 1.5
"""For one reading."""


def read_for_a_while(batches: Batches, epoch: int, most: int) -> Iterator[Batch]:
    """Yield an epoch's batches until there are ``most`` samples or time is up, at least one."""
    started, count = time.monotonic(), 0
    for batch in batches.epoch(epoch):
        yield batch
        count += len(batch[-1])
        if count >= most or time.monotonic() - started > SECONDS:
            return


def validation_repeat(val: Batches) -> ValidationRepeat:
    """Read validation samples in two epochs, and count those whose first input differs."""
    first = [as_array(batch[0]) for batch in read_for_a_while(val, 0, MOST)]
    second = [as_array(batch[0]) for batch in _take(val.epoch(1), len(first))]
    pairs = [(a, b) for a, b in zip(first, second, strict=False) if a.shape == b.shape]
    samples = sum(len(a) for a, _ in pairs)
    changed = sum(len(a) for a in first) - samples + sum(_differing(a, b) for a, b in pairs)
    reordered = changed > 0 and _same_set(first, second)
    return ValidationRepeat(
        samples=sum(len(a) for a in first),
        changed=0 if reordered else changed,
        largest_difference=0.0 if reordered or not changed else _largest(pairs),
        reordered=reordered,
    )


def _take(batches: Iterator[Batch], count: int) -> Iterator[Batch]:
    for _ in range(count):
        batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _differing(a: Values, b: Values) -> int:
    both_nan = (a != a) & (b != b)
    return int(((a != b) & ~both_nan).reshape(len(a), -1).any(axis=1).sum())


def _same_set(first: list[Values], second: list[Values]) -> bool:
    if len({part.shape[1:] for part in [*first, *second]}) != 1:
        return False
    return sorted(row_digests(np.concatenate(first))) == sorted(row_digests(np.concatenate(second)))


def _largest(pairs: list[tuple[Values, Values]]) -> float:
    if not pairs:
        return float("inf")  # every sample has another shape
    spread = float(np.std(np.concatenate([a.ravel() for a, _ in pairs]).astype(np.float64)))
    largest = max(float(np.nanmax(np.abs(a.astype(np.float64) - b), initial=0.0)) for a, b in pairs)
    return largest / spread if spread > 0 else largest


def label_epochs(train: Batches) -> tuple[list[Values], bool]:
    """Return the targets of a first epoch batch by batch, and whether a second came in the same order."""
    first = [as_array(batch[-1]) for batch in read_for_a_while(train, 0, MOST_LABELS)]
    second = [as_array(batch[-1]) for batch in _take(train.epoch(1), len(first))]
    same = len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    return first, same


def draws_at_random(batches: Batches) -> bool | None:
    """Return whether a loader shuffles; None when it does not say."""
    shuffle = getattr(batches, "shuffle", None)
    if isinstance(shuffle, bool):
        return shuffle
    sampler = getattr(getattr(batches, "loader", None), "sampler", None)
    if isinstance(sampler, torch.utils.data.SequentialSampler):
        return False
    random = (
        torch.utils.data.RandomSampler,
        torch.utils.data.SubsetRandomSampler,
        torch.utils.data.WeightedRandomSampler,
    )
    return True if isinstance(sampler, random) else None
