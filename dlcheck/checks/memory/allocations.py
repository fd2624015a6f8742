"""What PyTorch's allocator of the CPU took and gave back meanwhile, from its own profiler's memory events."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch.autograd.profiler import profile


@dataclass(frozen=True, slots=True)
class Spans:
    """Memory that was taken (above 0) and given back (below) in the order of time, and marked spans of time."""

    moves: tuple[tuple[int, int], ...]
    """Nanoseconds and bytes."""
    marks: dict[str, tuple[int, int]]
    """The first span of each name."""

    def inside(self, mark: str) -> list[int]:
        """Return what was taken and given back in a marked span."""
        begin, end = self.marks[mark]
        return [size for moment, size in self.moves if begin <= moment <= end]


@contextlib.contextmanager
def allocations() -> Iterator[Callable[[], Spans]]:
    """Record memory events; the function that is given reads them, once the context has ended.

    Memory that was taken before is not seen to be given back: what is to be counted must be taken within.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or its library talks on standard error, of GPUs it has not found
    with profile(profile_memory=True, use_kineto=True) as recorded:
        yield lambda: _spans(recorded)


def _spans(recorded: profile) -> Spans:
    results: Any = recorded.kineto_results  # its stubs lack the bytes
    events = sorted(results.events(), key=lambda event: event.start_ns())
    moves = tuple((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    marks: dict[str, tuple[int, int]] = {}
    for event in events:
        if event.name().startswith("dlcheck"):
            marks.setdefault(event.name(), (event.start_ns(), event.end_ns()))
    return Spans(moves, marks)
