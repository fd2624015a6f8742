"""Samples that two splits share, exactly or nearly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcheck.checks.data.features import columns, pooled, standardise
from dlcheck.checks.data.samples import Index, Numbers, Samples, Values
from dlcheck.runs.facts import SplitOverlap

EXAMPLES = 10
NEIGHBOURS = 5
"""Nearest training samples that tell how densely they lie around a sample."""
FALSE_PAIRS = 0.01
"""Near pairs expected by chance in a whole split."""
LARGEST_RATIO = 0.25
"""Of the distance to the nearest and to the fifth; measured on digits, Fashion-MNIST and the tables of scikit-learn."""
HASH_BITS = 10
"""Bits of 64 in which the difference hashes of two near images may differ (Krawetz 2013)."""
TRAIN_MOST = 20_000
HELD_MOST = 1500
DISCRETE = 64
"""Most distinct values of a feature that counts as discrete."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Near pairs: positions among the samples looked at."""

    held: Index
    train: Index


def split_overlap(train: Samples, held: Samples, split: str, *, near: bool = True) -> SplitOverlap:
    """Compare a split with training: exact duplicates over all that is in memory, near ones over a random choice.

    Args:
        train: Training samples.
        held: Samples of the other split.
        split: Its name.
        near: Look for near duplicates too; neighbouring pieces of a series always are.
    """
    raw = bool(train.raw) == bool(held.raw)
    train_hashes, train_places = train.digests() if raw else _hashes(train)
    held_hashes, held_places = held.digests() if raw else _hashes(held)
    first: dict[bytes, int] = {}
    for position, digest in enumerate(train_hashes):
        first.setdefault(digest, position)
    twins = [(i, first[digest]) for i, digest in enumerate(held_hashes) if digest in first]
    pairs = near_pairs(train, held) if near and train.inputs.dtype.kind == "f" else Pairs(*_none())
    found = [(int(held_places[i]), int(train_places[j])) for i, j in twins]
    seen = {place for place, _ in found}
    fresh = [(int(held.index[i]), int(train.index[j])) for i, j in zip(pairs.held, pairs.train, strict=True)]
    fresh = [pair for pair in fresh if pair[0] < 0 or pair[0] not in seen]
    return SplitOverlap(
        split=split,
        samples=len(held_hashes),
        train_samples=len(train_hashes),
        exact=len(twins),
        near=_scaled(len(fresh), len(held), len(held_hashes)),
        same_label=_same_label(train, held, twins, raw),
        train_duplicates=len(train_hashes) - len(first),
        distinct_values=distinct_inputs(train),
        examples=tuple([*found, *fresh][:EXAMPLES]),
    )


def _hashes(samples: Samples) -> tuple[list[bytes], Index]:
    from dlcheck.checks.data.samples import row_digests

    return row_digests(samples.inputs), samples.index


def _none() -> tuple[Index, Index]:
    return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)


def _scaled(count: int, looked_at: int, of: int) -> int:
    return round(count * of / min(looked_at, HELD_MOST, of)) if count else 0


def _same_label(train: Samples, held: Samples, twins: list[tuple[int, int]], raw: bool) -> int:
    def labels(samples: Samples) -> Values | None:
        return samples.labels if raw and samples.raw else samples.target

    ours, theirs = labels(held), labels(train)
    if ours is None or theirs is None:
        return 0
    return sum(bool(np.array_equal(ours[i], theirs[j])) for i, j in twins)


def near_pairs(train: Samples, held: Samples) -> Pairs:
    """Return pairs that lie far closer together than the neighbourhood's density explains, exact ones left out.

    The ratio of the distances to the nearest and to the k-th neighbour of a point in d dimensions is below ρ with
    a chance of about (k − 1) ρ^d (Poisson points; Facco et al. 2017, Scientific Reports 7:12140, who estimate d
    from the same ratio). ρ is chosen so that a whole split is expected to give 0.01 such pairs. The distance must
    also be below half of what lies between neighbours within training, and images must have like difference
    hashes.
    """
    train, held = train.some(TRAIN_MOST), held.some(HELD_MOST)
    if len(train) < 4 * NEIGHBOURS or len(held) == 0:
        return Pairs(*_none())
    ours, theirs, coarse, fine = _places(train, held)
    different = np.unique(coarse, axis=0, return_index=True)[1]  # copies within training say nothing of density
    coarse, theirs, fine = coarse[different], theirs[different], fine[different]
    some = np.random.default_rng(0).permutation(len(coarse))[:500]
    own, _ = nearest(coarse[some], coarse, NEIGHBOURS + 1)
    own = own[:, 1:]  # the nearest is the point itself
    positive = own[:, 0] > 0
    if positive.sum() < 10:
        return Pairs(*_none())
    dimension = np.log(2) / max(float(np.median(np.log(own[positive, 1] / own[positive, 0]))), 1e-3)
    ratio = min(LARGEST_RATIO, (FALSE_PAIRS / (len(held) * (NEIGHBOURS - 1))) ** (1 / dimension))
    limit = 0.5 * float(np.median(own[positive, 0]))
    distance, place = nearest(ours[0], coarse, NEIGHBOURS)
    candidates = np.flatnonzero((distance[:, 0] < 1.5 * ratio * distance[:, -1]) & (distance[:, 0] < limit))
    kept = [i for i in candidates if _close(ours[1][i], fine[place[i]], ratio)]
    alike = [i for i in kept if not train.image or _like_hashes(held.inputs[i], train.inputs[different[place[i, 0]]])]
    chosen = np.array(alike, dtype=np.int64)
    return Pairs(chosen, different[place[chosen, 0]])


def _close(one: Numbers, neighbours: Numbers, ratio: float) -> bool:
    distance = np.linalg.norm(neighbours - one, axis=1)
    return bool(0 < distance[0] < ratio * distance[-1])


def _places(train: Samples, held: Samples) -> tuple[tuple[Numbers, Numbers], Numbers, Numbers, Numbers]:
    """Return ((coarse, fine) of held, fine of train, coarse of train, fine of train); coarse is what is searched."""
    if not train.image:
        mine, other = standardise(columns(train), columns(held))
        return (other, other), mine, mine, mine
    coarse = [_unit(columns(part, side=8)) for part in (train, held)]
    fine = [_unit(columns(part, side=32)) for part in (train, held)]
    return (coarse[1], fine[1]), fine[0], coarse[0], fine[0]


def _unit(flat: Numbers) -> Numbers:
    """Return images without their mean brightness and contrast."""
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.maximum(length, 1e-6)


def nearest(points: Numbers, among: Numbers, count: int) -> tuple[Numbers, Index]:
    """Return distances and positions of each point's nearest, (points, count), by brute force in chunks."""
    squares = np.einsum("ij,ij->i", among, among)
    step = max(1, 4_000_000 // max(1, len(among)))
    distances, places = [], []
    for start in range(0, len(points), step):
        part = points[start : start + step]
        found = squares - 2 * (part @ among.T)
        few = np.argpartition(found, min(count, len(among)) - 1, axis=1)[:, :count]
        exact = np.linalg.norm(among[few] - part[:, None], axis=2)
        order = np.argsort(exact, axis=1, kind="stable")
        distances.append(np.take_along_axis(exact, order, axis=1))
        places.append(np.take_along_axis(few, order, axis=1))
    return np.concatenate(distances), np.concatenate(places)


def difference_hash(image: Numbers) -> npt.NDArray[np.bool_]:
    """Return 64 bits of an image (channels, height, width): is a block darker than its right neighbour?"""
    grey = image.astype(np.float32).mean(axis=0, keepdims=True)[None]
    height, width = grey.shape[2:]
    rows, places = np.arange(8) * height // 8, np.arange(9) * width // 9
    small = grey[0, 0][rows][:, places] if min(height, width) < 9 else _blocks(grey)
    return np.asarray(small[:, 1:] > small[:, :-1]).ravel()


def _blocks(grey: Numbers) -> Numbers:
    wide = pooled(grey, 9)[0, 0]
    rows = np.add.reduceat(grey, np.arange(8) * grey.shape[2] // 8, axis=2)
    return pooled(rows, 9)[0, 0] if wide.shape[0] != 8 else wide


def _like_hashes(one: Numbers, other: Numbers) -> bool:
    return int((difference_hash(one) != difference_hash(other)).sum()) <= HASH_BITS


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
