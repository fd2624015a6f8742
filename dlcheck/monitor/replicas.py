"""Whether the replicas of distributed training hold the same weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from dlcheck.monitor.parameters import full_name
from dlcheck.runs.facts import Replicas

FIRST = 16
"""First step that is compared; then every power of two: all ranks must choose alike without talking."""
MOST_COMPARED = 64
"""Ranks beside rank 0 whose checksums are left and read at one step; with more of them it is others each time, until
all had their turn: those of a thousand would fill the store that the training needs too."""
MOST_NAMES = 10
CLOSE = 1e-6
"""Relative difference of a checksum in double precision that is no difference."""


def rank() -> int:
    """Return this process's rank; 0 when it trains alone."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


class ReplicaCheck:
    """Leaves checksums in the store that all ranks share, and compares those that are there.

    No collective call: a rank without a monitor would make all others wait for ever.
    """

    def __init__(self) -> None:
        self.models: list[tuple[str, nn.Module]] = []
        """What is compared, with the names in front of its layers."""
        self._checks: dict[int, list[float]] = {}
        self._names: list[str] = []
        self._buffers: set[str] = set()

    def step(self, step: int) -> None:
        """Leave a checksum of each tensor after some of the steps."""
        if step < FIRST or step & (step - 1) or not dist.is_available() or not dist.is_initialized():
            return
        others = compared(step, dist.get_world_size())
        if rank() and rank() not in others:
            return
        rows = [row for row in self._tensors() if row[1].is_floating_point() and row[1].numel()]
        self._names = [name for name, _, _ in rows]
        self._buffers = {name for name, _, buffer in rows if buffer}
        self._checks[step] = torch.stack([_checksum(tensor) for _, tensor, _ in rows]).tolist() if rows else []
        _store().set(_key(step, rank()), json.dumps(self._checks[step]))

    def _tensors(self) -> Iterator[tuple[str, Tensor, bool]]:
        """Yield (name, tensor, whether it is a buffer)."""
        for prefix, model in self.models:
            for buffers, named in ((False, model.named_parameters()), (True, model.named_buffers())):
                for name, tensor in named:
                    yield full_name(prefix, name), tensor, buffers

    def fact(self) -> Replicas | None:
        """Return what the checksums say so far; None when there is nothing to compare."""
        if not self._checks or not dist.is_initialized() or rank():
            return None  # nothing to compare, or the script has left its process group already
        found = [(step, other) for step in self._checks for other in self._others(step)]
        if not found:
            return None
        apart = [(step, self._differing(self._checks[step], sums)) for step, sums in found]
        # Running statistics are each rank's own as a rule: beside weights that differ they say nothing.
        weights = [(step, rows) for step, group in apart if (rows := self._of_weights(group))]
        told = weights or [(step, group) for step, group in apart if group]
        different = {step for step, _ in told}
        first = min(different, default=None)
        distances: dict[str, float] = {}
        for name, distance in (row for _, group in told for row in group.items()):
            distances[name] = max(distance, distances.get(name, 0.0))
        return Replicas(
            ranks=dist.get_world_size(),
            checks=len({step for step, _ in found}),
            different=len(different),
            largest=max(distances.values(), default=0.0),
            layers=tuple(distances)[:MOST_NAMES],
            buffers_only=bool(told) and not weights,
            step=first,
            met_again=first is not None and any(step > first and step not in different for step, _ in found),
        )

    def _others(self, step: int) -> list[list[float]]:
        store = _store()
        keys = [_key(step, other) for other in compared(step, dist.get_world_size())]
        there = [key for key in keys if store.check([key])]
        rows = [json.loads(store.get(key)) for key in there]
        return [row for row in rows if len(row) == len(self._checks[step])]

    def _differing(self, own: list[float], other: list[float]) -> dict[str, float]:
        """Return the tensors whose checksums differ, and by how much."""
        rows = zip(self._names, own, other, strict=True)
        return {name: distance for name, a, b in rows if (distance := _distance(a, b)) > CLOSE}

    def _of_weights(self, group: dict[str, float]) -> dict[str, float]:
        return {name: distance for name, distance in group.items() if name not in self._buffers}


def compared(step: int, size: int) -> tuple[int, ...]:
    """Return the ranks that are compared with rank 0 after a step, a power of two; all ranks choose alike."""
    others = size - 1
    if others <= MOST_COMPARED:
        return tuple(range(1, size))
    turn = step.bit_length() - FIRST.bit_length()
    return tuple(1 + (turn * MOST_COMPARED + place) % others for place in range(MOST_COMPARED))


def _checksum(tensor: Tensor) -> Tensor:
    flat = tensor.detach().flatten().double()
    # Weighted by place, so that an exchange of two numbers shows.
    weights = torch.arange(1, len(flat) + 1, dtype=torch.float64, device=flat.device) / len(flat)
    return (flat.abs() * (1 + weights)).sum().cpu()


def _distance(a: float, b: float) -> float:
    return abs(a - b) / max(abs(a), abs(b), 1e-30)


def _key(step: int, place: int) -> str:
    return f"dlcheck/weights/{step}/{place}"


def _store() -> Any:
    return dist.distributed_c10d._get_default_store()
