"""Memory in use: the device's where there is one, else the process's."""

from __future__ import annotations

import os
from pathlib import Path

import torch

GIB = float(1 << 30)
MIB = float(1 << 20)
_STATM = Path("/proc/self/statm")


class Memory:
    """Reads memory in use without waiting for a device."""

    def __init__(self) -> None:
        self._page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
        self._highest = 0.0

    def now(self) -> float | None:
        """Return bytes in use; None where the system does not tell."""
        if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            self._highest = max(self._highest, float(torch.cuda.max_memory_allocated()))
            return float(torch.cuda.memory_allocated())
        try:
            used = float(_STATM.read_text(encoding="ascii").split()[1]) * self._page
        except (OSError, IndexError, ValueError):
            return None
        self._highest = max(self._highest, used)
        return used

    @property
    def highest(self) -> float:
        """Bytes in use at most, of what was seen."""
        return self._highest
