"""What it costs here to hand a batch over from a worker to the main process, measured on an empty batch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import torch
from torch.utils.data import DataLoader, Dataset

from dlcheck.profiling.scheduling import RunQueue

BATCHES = 24
"""Handed over one by one when they lie ready, and as many in one go."""
PAUSE = 3.0
"""Times what a batch takes in one go, after which the next one is certain to lie ready."""
LEAST_PAUSE_S = 0.002
PATIENCE_S = 10.0
PAGE = 4096


@dataclass(frozen=True, slots=True)
class HandOver:
    """Of one batch. Seconds."""

    get_s: float
    """In the main process, for a batch that lies ready."""
    send_s: float
    """In a worker, beside the making of the batch."""


class _Blanks(Dataset[torch.Tensor]):
    """One batch in shared memory, where a worker's collation puts its batches, sent again and again."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.blank: torch.Tensor | None = None

    def __getitem__(self, index: int) -> torch.Tensor:
        if self.blank is None:
            self.blank = torch.zeros(self.size, dtype=torch.uint8).share_memory_()  # type: ignore[no-untyped-call]
        return self.blank

    def __len__(self) -> int:
        return 2 * BATCHES + 4


def hand_over(batch_bytes: int, *, start_method: str = "") -> HandOver | None:
    """Hand batches of this size over from one worker, and return what that takes; None where no worker starts.

    The worker is gone when this returns. It takes a few tenths of a second where workers are forked.

    Args:
        batch_bytes: of a batch.
        start_method: ``fork``, ``forkserver`` or ``spawn``; empty for the system's own.
    """
    loader: DataLoader[torch.Tensor] = DataLoader(
        _Blanks(max(batch_bytes, 1)),
        batch_size=None,
        num_workers=1,
        timeout=PATIENCE_S,
        multiprocessing_context=start_method or None,
    )
    try:
        batches = iter(loader)
        next(batches)
        period = median(_one(batches) for _ in range(BATCHES))
        pause = max(PAUSE * period, LEAST_PAUSE_S)
        got = median(_one(batches, after=pause) for _ in range(BATCHES))
    except (OSError, RuntimeError, ValueError):
        return None
    return HandOver(get_s=min(got, period), send_s=period)


def _one(batches: Iterator[torch.Tensor], *, after: float = 0.0) -> float:
    """Return the time for one batch, that in which this thread waited for a core left out."""
    if after:
        time.sleep(after)
    queue = RunQueue()
    waited, began = queue.waited(), time.perf_counter()
    next(batches)[::PAGE].clone()  # whoever reads the batch maps its pages first
    return max(time.perf_counter() - began - (queue.waited() - waited), 0.0)
