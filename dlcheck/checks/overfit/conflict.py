"""Samples that no network can learn: equal inputs with different targets."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcheck.checks.model.leak import predicts_next
from dlcheck.components.batches import Batch


@dataclass(frozen=True, slots=True)
class Conflict:
    """What contradictions in a batch leave at best."""

    samples: int = 0
    """Samples (or places of a text) with an input equal to another's of a different target."""
    entropy: float = 0.0
    """Mean cross-entropy that is left, in nats."""
    hits: float = 1.0
    """Share of right answers that can be reached."""


def find_conflict(batch: Batch) -> Conflict:
    """Look for equal inputs with different classes; in a text, an input is all that comes before.

    Inputs are compared bit for bit.
    """
    *inputs, target = batch
    if target.is_floating_point():
        return Conflict()
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for key, code in zip(_keys(inputs, target), target.flatten().tolist(), strict=True):
        if code >= 0:
            groups[key].append(code)
    return _of_groups(list(groups.values()))


def _of_groups(groups: Sequence[list[int]]) -> Conflict:
    places = sum(len(codes) for codes in groups)
    samples, entropy, hits = 0, 0.0, 0
    for codes in groups:
        counts = Counter(codes)
        hits += max(counts.values())
        if len(counts) > 1:
            samples += len(codes)
            entropy -= sum(n * math.log(n / len(codes)) for n in counts.values())
    return Conflict(samples, entropy / max(places, 1), hits / max(places, 1))


def _keys(inputs: list[Tensor], target: Tensor) -> list[Hashable]:
    """Return what each place of the target can be told from."""
    causal = next((x for x in inputs if predicts_next(x, target)), None)
    whole = [x for x in inputs if x is not causal]
    rows: list[Hashable] = [tuple(_bytes(x[i]) for x in whole) for i in range(len(target))]
    if causal is not None:
        codes = causal.tolist()
        return [(row, tuple(code[: t + 1])) for row, code in zip(rows, codes, strict=True) for t in range(len(code))]
    per_row = target[0].numel() if len(target) else 1
    return [(row, place) for row in rows for place in range(per_row)]


def _bytes(tensor: Tensor) -> bytes:
    return bytes(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
