"""How much memory a training may take."""

from __future__ import annotations

import os
from pathlib import Path

import torch

USABLE = 0.9
"""Part of the memory that counts as free for tensors; the rest goes to fragments and the libraries' own buffers."""
MEMINFO = Path("/proc/meminfo")
CGROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def capacity(device: torch.device) -> int | None:
    """Return the memory of a GPU, or what is free of the machine's and of a container's limit; None: unknown."""
    if device.type == "cuda":
        if not torch.cuda.is_available():
            return None
        return int(torch.cuda.get_device_properties(device).total_memory)
    bounds = [_available(), *(_left(limit, used) for limit, used in CGROUPS)]
    return min((bound for bound in bounds if bound is not None), default=None)


def _available() -> int | None:
    """Return what the kernel would give out without swapping, page cache included."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), None)
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def _left(limit: Path, used: Path) -> int | None:
    """Return what a control group's limit leaves; None without a limit."""
    try:
        return max(0, int(limit.read_text(encoding="ascii")) - int(used.read_text(encoding="ascii")))
    except (OSError, ValueError):  # "max", or no such group
        return None
