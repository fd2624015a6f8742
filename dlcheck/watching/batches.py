"""What a batch holds: its inputs, its labels, and fingerprints of its rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

INPUT_KEYS = ("input_ids", "pixel_values", "input_values", "image", "images", "inputs", "input", "x", "data")
LABEL_KEYS = ("labels", "label", "target", "targets", "y")
MOST_BYTES = 1 << 22
"""A row with more is not fingerprinted."""

Prints = NDArray[np.int64]


def first_tensor(values: object, depth: int = 3) -> Tensor | None:
    """Return the first tensor with a batch axis in a nest of tuples, lists and mappings."""
    if isinstance(values, Tensor):
        return values if values.ndim else None
    if depth and isinstance(values, Mapping):
        named = [values[key] for key in INPUT_KEYS if key in values]
        values = [*named, *values.values()]
    if depth and isinstance(values, list | tuple):
        return next((found for item in values if (found := first_tensor(item, depth - 1)) is not None), None)
    return None


def labels_of(batch: object) -> Tensor | None:
    """Return the labels of a batch: the entry of that name, or the last tensor of a pair or longer tuple."""
    if isinstance(batch, Mapping):
        return next((batch[key] for key in LABEL_KEYS if isinstance(batch.get(key), Tensor)), None)
    if isinstance(batch, list | tuple) and len(batch) > 1 and isinstance(batch[-1], Tensor):
        return batch[-1] if batch[-1].ndim else None
    return None


def flat_labels(labels: Tensor | None, rows: int) -> NDArray[np.float64] | None:
    """Return one label a row, None where there is no such: sequences, masks, several targets."""
    if labels is None or labels.numel() != rows or labels.device.type != "cpu" or labels.is_complex():
        return None
    return labels.detach().reshape(-1).to(torch.float64).numpy().copy()


def fingerprints(rows: Tensor | None) -> Prints | None:
    """Return a 64-bit number a row that depends on each of its bits; None where that would cost too much.

    It is a sum of the row's words times fixed odd numbers, modulo 2**64: equal rows have equal ones, and different
    rows do with a probability of about 2**-64.
    """
    if rows is None or rows.device.type != "cpu" or rows.layout is not torch.strided or not rows.numel():
        return None
    size = rows.element_size() * math.prod(rows.shape[1:])
    if size > MOST_BYTES or rows.is_quantized:
        return None
    raw = rows.detach().contiguous().view(len(rows), -1).view(torch.uint8).numpy()
    width = next(kind for kind in (np.int64, np.int32, np.int16, np.int8) if size % np.dtype(kind).itemsize == 0)
    words: NDArray[np.integer[Any]] = raw.view(width)
    with np.errstate(over="ignore"):
        prints: Prints = (words * _odd(words.shape[1])).sum(axis=1, dtype=np.int64)
    return prints


@cache
def _odd(count: int) -> Prints:
    own_stream = np.random.Generator(np.random.PCG64(20_231))
    return own_stream.integers(1, 1 << 62, count, dtype=np.int64) * 2 + 1
