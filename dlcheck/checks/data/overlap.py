"""Samples that two splits share, exactly or nearly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcheck.checks.data.near import HELD_MOST, near_pairs
from dlcheck.checks.data.samples import Index, Samples, Values, row_digests
from dlcheck.runs.facts import SplitOverlap

EXAMPLES = 10
DISCRETE = 64
"""Most distinct values of a feature that counts as discrete."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What two splits share; pairs are places (other split, training)."""

    held: int
    """Samples of the other split that were looked at, and of training."""
    train: int
    exact: tuple[tuple[int, int], ...]
    near: tuple[tuple[int, int], ...]
    """Those that are almost equal, exact ones left out."""
    same_label: int
    """Exact pairs with one label."""
    train_duplicates: int


def split_overlap(train: Samples, held: Samples, split: str, *, near: bool = True) -> SplitOverlap:
    """Compare a split with training: exact duplicates over all that is in memory, near ones over a random choice.

    Args:
        train: Training samples.
        held: Samples of the other split.
        split: Its name.
        near: Look for near duplicates too; neighbouring pieces of a series always are.
    """
    shared = shared_samples(train, held, near=near)
    return SplitOverlap(
        split=split,
        samples=shared.held,
        train_samples=shared.train,
        exact=len(shared.exact),
        near=_scaled(len(shared.near), len(held), shared.held),
        same_label=shared.same_label,
        train_duplicates=shared.train_duplicates,
        distinct_values=distinct_inputs(train),
        examples=(*shared.exact, *shared.near)[:EXAMPLES],
    )


def shared_samples(train: Samples, held: Samples, *, near: bool = True) -> Shared:
    """Return every sample of a split that training has too, with its first twin there."""
    raw = bool(train.raw) == bool(held.raw)
    train_hashes, train_places = train.digests() if raw else _hashes(train)
    held_hashes, held_places = held.digests() if raw else _hashes(held)
    first: dict[bytes, int] = {}
    for position, digest in enumerate(train_hashes):
        first.setdefault(digest, position)
    twins = [(i, first[digest]) for i, digest in enumerate(held_hashes) if digest in first]
    pairs = near_pairs(train, held) if near and train.inputs.dtype.kind == "f" else []
    found = [(int(held_places[i]), int(train_places[j])) for i, j in twins]
    seen = {place for place, _ in found}
    fresh = [(int(held.index[i]), int(train.index[j])) for i, j in pairs]
    return Shared(
        held=len(held_hashes),
        train=len(train_hashes),
        exact=tuple(found),
        near=tuple(pair for pair in fresh if pair[0] < 0 or pair[0] not in seen),
        same_label=_same_label(train, held, twins, raw),
        train_duplicates=len(train_hashes) - len(first),
    )


def _hashes(samples: Samples) -> tuple[list[bytes], Index]:
    return row_digests(samples.inputs), samples.index


def _scaled(count: int, looked_at: int, of: int) -> int:
    return round(count * of / min(looked_at, HELD_MOST, of)) if count else 0


def _same_label(train: Samples, held: Samples, twins: list[tuple[int, int]], raw: bool) -> int:
    def labels(samples: Samples) -> Values | None:
        return samples.labels if raw and samples.raw else samples.target

    ours, theirs = labels(held), labels(train)
    if ours is None or theirs is None:
        return 0
    return sum(bool(np.array_equal(ours[i], theirs[j])) for i, j in twins)


def distinct_inputs(samples: Samples) -> int | None:
    """Return how many distinct inputs a table's values could make, where every column takes few; None: many."""
    if not samples.table:
        return None
    product = 1
    for column in samples.some(5000).inputs.T:
        values = len(np.unique(column))
        product *= values
        if values > DISCRETE or product > 10**9:
            return None
    return product
