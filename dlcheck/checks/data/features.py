"""Inputs as few numbers as a simple model needs."""

from __future__ import annotations

import numpy as np

from dlcheck.checks.data.samples import Numbers, Samples

MOST_FEATURES = 50
"""Beyond, principal components take the place of features."""
WIDE = 800
"""Features from which on components are found among as many samples instead: the time grows with the cube."""


def pooled(inputs: Numbers, side: int, width: int | None = None) -> Numbers:
    """Return images (samples, channels, height, width) averaged over blocks to at most ``side`` rows and columns.

    ``width``: the most columns, where they differ from the rows.
    """
    for axis, most in ((2, side), (3, width or side)):
        length = inputs.shape[axis]
        if length > most:
            edges = np.arange(most) * length // most
            sums = np.add.reduceat(inputs, edges, axis=axis, dtype=np.float32)
            shape = [1, 1, 1, 1]
            shape[axis] = most
            inputs = sums / np.diff(edges, append=length).astype(np.float32).reshape(shape)
    return inputs


def columns(samples: Samples, side: int = 16) -> Numbers:
    """Return (samples, features): images averaged to ``side`` pixels a side; numbers that are not finite become 0."""
    inputs = samples.inputs.astype(np.float32, copy=False)
    if samples.image:
        inputs = pooled(inputs, side)
    return np.nan_to_num(inputs.reshape(len(inputs), -1), nan=0.0, posinf=0.0, neginf=0.0)


def standardise(train: Numbers, *others: Numbers) -> tuple[Numbers, ...]:
    """Return all arrays in units of the first one's mean and standard deviation, constant columns left out."""
    mean = train.mean(axis=0, dtype=np.float64)
    deviation = train.std(axis=0, dtype=np.float64)
    kept = deviation > 1e-6 * np.maximum(np.abs(mean), np.abs(train).max(axis=0, initial=0.0)).clip(1e-12)
    return tuple(((part[:, kept] - mean[kept]) / deviation[kept]).astype(np.float32) for part in (train, *others))


def reduce(train: Numbers, *others: Numbers, most: int = MOST_FEATURES, scale: bool = True) -> tuple[Numbers, ...]:
    """Return standardised features, or the first principal components of the first array where there are more.

    Components keep their relative spread. Pixels are not standardised (``scale`` False): a nearly constant one
    would be made as loud as the rest.
    """
    if scale:
        train, *rest = standardise(train, *others)
    else:
        mean = train.mean(axis=0, dtype=np.float64).astype(np.float32)
        train, *rest = (part - mean for part in (train, *others))
    if train.shape[1] <= most:
        return (train, *rest)
    basis = _components(train, most)
    parts = [part @ basis for part in (train, *rest)]
    unit = float(parts[0].std()) or 1.0
    return tuple(part / unit for part in parts)


def _components(centred: Numbers, most: int) -> Numbers:
    """Return the first principal components, (features, components)."""
    if centred.shape[1] <= WIDE:
        _, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))
        return vectors[:, ::-1][:, :most].astype(np.float32)
    rows = centred[np.random.default_rng(0).permutation(len(centred))[:WIDE]]
    values, vectors = np.linalg.eigh((rows @ rows.T).astype(np.float64))
    most = min(most, max(1, int((values > 1e-6 * values[-1]).sum())))
    strongest = vectors[:, ::-1][:, :most] / np.sqrt(np.maximum(values[::-1][:most], 1e-30))
    basis: Numbers = rows.T @ strongest.astype(np.float32)
    return basis
