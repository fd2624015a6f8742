"""Time that looking at data may take: an allowance at the start, then a small share of the run."""

from __future__ import annotations

import time
from types import TracebackType

SHARE = 0.004
"""Of the time since the start; hooks and the monitor have the rest of the 2 %."""
ALLOWANCE_S = 0.3


class Account:
    """Counts the seconds spent within ``with account:``."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._start = time.perf_counter()
        self._entered = 0.0

    def open(self) -> bool:
        """Return whether more may be spent now."""
        return self.spent_s < ALLOWANCE_S + SHARE * (time.perf_counter() - self._start)

    def __enter__(self) -> None:
        self._entered = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.spent_s += time.perf_counter() - self._entered
