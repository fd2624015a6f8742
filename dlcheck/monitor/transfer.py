"""Numbers that come from the device when it has them, without anybody waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

Numbers = list[float]


class Transfer:
    """Hands small tensors over as lists: at once from a CPU, from another device once it has got there."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Any, Tensor, Callable[[Numbers], None]]] = deque()

    def read(self, numbers: Sequence[Tensor], then: Callable[[Numbers], None]) -> None:
        """Read tensors of one number each, in one transfer, and call ``then`` with their values."""
        if not numbers:
            then([])
            return
        row = _stacked(numbers)
        if row.device.type != "cuda":
            then(row.tolist())
            return
        host = torch.empty(row.shape, dtype=row.dtype, pin_memory=True)
        host.copy_(row, non_blocking=True)
        event: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        self._waiting.append((event, host, then))

    def poll(self) -> None:
        """Hand over what has arrived; in order, and without waiting."""
        while self._waiting and self._waiting[0][0].query():
            self._hand_over()

    def drain(self) -> None:
        """Wait for the rest and hand it over."""
        while self._waiting:
            self._waiting[0][0].synchronize()
            self._hand_over()

    def _hand_over(self) -> None:
        _, host, then = self._waiting.popleft()
        then(host.tolist())


def _stacked(numbers: Sequence[Tensor]) -> Tensor:
    first = numbers[0]
    if all(one.dtype == first.dtype and one.device == first.device for one in numbers):
        return torch.stack(list(numbers)).double()
    if all(one.device == first.device for one in numbers):
        return torch.stack([one.double() for one in numbers])
    return torch.tensor([float(one) for one in numbers], dtype=torch.float64)
