"""Samples of a split as arrays, with their places in the split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]
Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Samples:
    """Some or all samples of one split, in the order of their places."""

    inputs: Values
    """(samples, …): the first input as the network sees it, without augmentation where that could be had."""
    target: Values
    """(samples,) class codes, or (samples, outputs) numbers, or codes (samples, time)."""
    index: Index
    """(samples,): their places in the split, rising; all −1 where a loader does not tell."""
    total: int
    """Samples of the whole split."""
    labels: Values | None = None
    """Targets of the whole split by place, where they are known without reading every sample."""
    raw: tuple[Values, ...] = ()
    """All inputs of the whole split as they lie in memory; empty where they are read one by one."""
    augmented: bool = False
    """The inputs were changed at random while they were read."""

    def __len__(self) -> int:
        return len(self.index)

    @property
    def whole(self) -> bool:
        """Whether every sample of the split is here."""
        return len(self) == self.total

    @property
    def image(self) -> bool:
        """Whether inputs have the shape (channels, height, width)."""
        return self.inputs.ndim == 4

    @property
    def table(self) -> bool:
        """Whether inputs are rows of numbers."""
        return self.inputs.ndim == 2 and self.inputs.dtype.kind == "f"

    @property
    def flat(self) -> Numbers:
        """(samples, features) in float32."""
        return self.inputs.reshape(len(self), -1).astype(np.float32, copy=False)

    def take(self, chosen: Index) -> Samples:
        """Return the samples at these positions among those here, in rising order."""
        chosen = np.sort(chosen)
        return Samples(
            self.inputs[chosen],
            self.target[chosen],
            self.index[chosen],
            self.total,
            self.labels,
            self.raw,
            self.augmented,
        )

    def some(self, most: int, seed: int = 0) -> Samples:
        """Return at most this many, chosen at random."""
        if len(self) <= most:
            return self
        return self.take(np.random.default_rng([seed, len(self)]).permutation(len(self))[:most])

    def digests(self) -> tuple[list[bytes], Index]:
        """Return a hash of each sample's inputs, and the samples' places: of the whole split where it is in memory."""
        if self.raw:
            return row_digests(*self.raw), np.arange(self.total)
        return row_digests(self.inputs), self.index


@dataclass(frozen=True, slots=True)
class Splits:
    """The splits that are examined."""

    train: Samples
    val: Samples | None = None
    test: Samples | None = None


def row_digests(*arrays: Values) -> list[bytes]:
    """Return a 16-byte hash (BLAKE2b) of each row over all arrays, bit for bit."""
    rows = [np.ascontiguousarray(array).reshape(len(array), -1) for array in arrays]
    sizes = [row.shape[1] * row.itemsize for row in rows]
    views = [row.view(np.uint8).reshape(len(row), size) for row, size in zip(rows, sizes, strict=True)]
    joined = views[0] if len(views) == 1 else np.concatenate(views, axis=1)
    return [hashlib.blake2b(row, digest_size=16).digest() for row in joined]
