"""Samples of two splits that are nearly the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dlcheck.checks.data.features import columns, pooled, standardise
from dlcheck.checks.data.samples import Index, Numbers, Samples

NEIGHBOURS = 5
"""Nearest training samples that tell how densely they lie around a sample."""
FALSE_PAIRS = 0.01
"""Near pairs expected by chance in a whole split."""
LARGEST_RATIO = 0.25
"""Of the distances to the nearest and to the fifth; measured on digits, Fashion-MNIST and scikit-learn's tables."""
HASH_BITS = 10
"""Bits of 64 in which the difference hashes of two near images may differ (Krawetz 2013, "Kind of like that")."""
TRAIN_MOST = 20_000
HELD_MOST = 1500
SEARCH_SIDE = 8
"""Pixels a side of the images among which neighbours are searched."""
LOOK_SIDE = 32
"""Pixels a side of those that are then compared."""


def near_pairs(train: Samples, held: Samples) -> list[tuple[int, int]]:
    """Return pairs (held, train) far closer together than the density around them explains, equal ones left out.

    The ratio of the distances to the nearest and to the k-th neighbour of a point in d dimensions is below ρ with
    a chance of about (k − 1) ρ^d (Poisson points; Facco et al. 2017, Scientific Reports 7:12140, who estimate d
    from such ratios). ρ is chosen so that a whole split is expected to give 0.01 such pairs. The distance must
    also be below half of what usually lies between neighbours within training, and images must have like
    difference hashes.

    Returns:
        Positions among the samples given.
    """
    held_chosen, train_chosen = _choice(len(held), HELD_MOST), _choice(len(train), TRAIN_MOST)
    looked, among = held.take(held_chosen), train.take(train_chosen)
    ours, theirs = _search_places(looked, among)
    distinct = np.sort(np.unique(theirs, axis=0, return_index=True)[1])  # copies say nothing of density
    theirs = theirs[distinct]
    law = _density(theirs, len(held))
    if law is None or not len(ours):
        return []
    ratio, limit = law
    distance, place = _nearest(ours, theirs, NEIGHBOURS)
    # Averaging over blocks changes ratios a little, so more are let through than are kept.
    slack = 1.5 if train.image else 1.0
    candidates = np.flatnonzero((distance[:, 0] < slack * ratio * distance[:, -1]) & (distance[:, 0] < limit))
    pairs = []
    for i in candidates:
        one, others = looked.take(np.array([i])), _picked(among, distinct[place[i]])
        if _near(one, others, ratio) if train.image else distance[i, 0] > 0:
            pairs.append((int(held_chosen[i]), int(train_chosen[distinct[place[i, 0]]])))
    return pairs


def _choice(count: int, most: int) -> Index:
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng([1, count]).permutation(count)[:most])


def _search_places(held: Samples, train: Samples) -> tuple[Numbers, Numbers]:
    if train.image:
        return _unit(columns(held, SEARCH_SIDE)), _unit(columns(train, SEARCH_SIDE))
    mine, other = standardise(columns(train), columns(held))
    return other, mine


def _unit(flat: Numbers) -> Numbers:
    """Return images without their mean brightness and contrast."""
    centred: Numbers = flat - flat.mean(axis=1, keepdims=True)
    length: Numbers = np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), np.float32(1e-6))
    return centred / length


def _density(places: Numbers, held: int) -> tuple[float, float] | None:
    """Return the ratio of distances and the distance below which a pair is near; None for too few points."""
    if len(places) < 4 * NEIGHBOURS:
        return None
    some = np.random.default_rng(0).permutation(len(places))[:500]
    distance = _nearest(places[some], places, 3)[0][:, 1:]  # the nearest is the point itself
    distance = distance[distance[:, 0] > 0]
    if len(distance) < 10:
        return None
    spread = float(np.median(np.log(distance[:, 1] / distance[:, 0])))
    dimension = np.log(2) / max(spread, 1e-3)
    ratio = float((FALSE_PAIRS / (held * (NEIGHBOURS - 1))) ** (1 / dimension))
    return min(LARGEST_RATIO, ratio), 0.5 * float(np.median(distance[:, 0]))


def _nearest(points: Numbers, among: Numbers, count: int) -> tuple[Numbers, Index]:
    """Return distances and positions of each point's nearest, (points, count), by brute force in chunks."""
    count = min(count, len(among))
    squares = np.einsum("ij,ij->i", among, among)
    step = max(1, 4_000_000 // len(among))
    distances, places = [], []
    for start in range(0, len(points), step):
        part = points[start : start + step]
        few = np.argpartition(squares - 2 * (part @ among.T), count - 1, axis=1)[:, :count]
        exact = np.linalg.norm(among[few] - part[:, None], axis=2)
        order = np.argsort(exact, axis=1, kind="stable")
        distances.append(np.take_along_axis(exact, order, axis=1))
        places.append(np.take_along_axis(few, order, axis=1))
    return np.concatenate(distances), np.concatenate(places)


def _picked(samples: Samples, chosen: Index) -> Numbers:
    return samples.inputs[chosen].astype(np.float32)


def _near(one: Samples, others: Numbers, ratio: float) -> bool:
    """Compare an image with its neighbours, the nearest first, at a higher resolution."""
    image = _picked(one, np.zeros(1, dtype=np.int64))
    both = np.concatenate((image, others))
    flat = _unit(pooled(both, LOOK_SIDE).reshape(len(both), -1))
    distance = np.linalg.norm(flat[1:] - flat[0], axis=1)
    if np.array_equal(image[0], others[0]) or distance[0] >= ratio * distance[-1]:
        return False
    return int((difference_hash(image[0]) != difference_hash(others[0])).sum()) <= HASH_BITS


def difference_hash(image: Numbers) -> npt.NDArray[np.bool_]:
    """Return up to 64 bits of an image (channels, height, width): is a block darker than its right neighbour?"""
    grey = image.astype(np.float32).mean(axis=0)[None, None]
    small = pooled(grey, 8, 9)[0, 0]
    return np.asarray(small[:, 1:] > small[:, :-1]).ravel()
