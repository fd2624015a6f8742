"""The machine on which a training runs: its cores and who uses them, quotas, pressure, and shared memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcheck.profiling.account import queue_shares, share
from dlcheck.profiling.cgroup import ROOT, Throttling, memory_limit, quota, text, throttling
from dlcheck.profiling.found import Found
from dlcheck.profiling.processes import busy_seconds, own_memory, tree
from dlcheck.profiling.queue_model import PREFETCH
from dlcheck.profiling.rows import StepRow
from dlcheck.runs.facts import CpuUse, SharedMemory

VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_WAIT_POLICY",
    "GOMP_CPU_AFFINITY",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
)
"""That say how many threads a library starts, and where."""
SHORTEST_S = 0.2
"""Core time is counted in hundredths of a second: over less, who used the cores is not told."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the system has counted until one moment."""

    moment: float
    busy_s: float | None = None
    """Core time of all programs, on the cores that this process may use."""
    own_s: float | None = None
    """Core time of all that descend from this process: the training."""
    self_s: float | None = None
    """Core time of this process, which only looks on, and of what has ended of its children."""
    stalled_s: float | None = None
    """In which some program waited for a core."""
    throttling: Throttling | None = None
    memory: Mapping[int, int] | None = None
    """Bytes of each process that descends from this one."""


@dataclass(frozen=True, slots=True)
class Window:
    """What was observed between two snapshots."""

    before: Snapshot
    after: Snapshot

    @property
    def seconds(self) -> float:
        """Return its length."""
        return self.after.moment - self.before.moment


class Environment:
    """Looks at the machine. Nothing is started, and nothing but files of the system is read."""

    def __init__(
        self,
        root: Path = ROOT,
        *,
        clock: Callable[[], float] = time.monotonic,
        affinity: frozenset[int] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._root, self._clock = root, clock
        self.affinity = _affinity() if affinity is None else affinity
        self._variables = os.environ if variables is None else variables
        granted = quota(root)
        self.cores = min(float(len(self.affinity)), granted) if granted is not None else float(len(self.affinity))
        self.memory_bytes = _least(memory_limit(root), _memory(root, "MemTotal"))
        """Of the machine, or granted; None where the system does not tell."""
        self.shared_free = _free(root / "dev/shm")
        """Bytes of ``/dev/shm``, before any worker has used it."""

    @property
    def memory_free(self) -> int | None:
        """Bytes that programs can still have, files kept for speed given up; None where the system does not tell."""
        return _least(memory_limit(self._root), _memory(self._root, "MemAvailable"))

    def snapshot(self) -> Snapshot:
        """Return what the system has counted until now; it takes some milliseconds."""
        me = os.getpid()
        known = tree(me, self._root)
        own = [process for process in known.values() if process.pid != me]
        return Snapshot(
            moment=self._clock(),
            busy_s=busy_seconds(self.affinity, self._root),
            own_s=sum(process.seconds for process in own) if known else None,
            self_s=known[me].seconds if known else None,
            stalled_s=_stalled(self._root),
            throttling=throttling(self._root),
            memory=own_memory((process.pid for process in own), self._root),
        )

    def cpu_use(self, windows: Sequence[Window], rows: Sequence[StepRow], found: Found) -> CpuUse:
        """Return who wanted the cores while these steps were made, in these windows."""
        main, workers = queue_shares(rows, found)
        own = _per_second(windows, lambda one: one.own_s)
        rest = _per_second(windows, _not_own)
        stalled = _per_second(windows, lambda one: one.stalled_s)
        return CpuUse(
            cores=self.cores,
            threads=found.threads,
            workers=found.workers,
            worker_threads=found.worker_threads or 1,  # what PyTorch sets in a worker
            main_queue_share=main,
            worker_queue_share=workers,
            own_cores=own,
            others_cores=rest,
            pressure=None if stalled is None else min(100.0 * stalled, 100.0),
            throttled_share=_throttled(windows),
            variables=tuple(f"{name}={self._variables[name]}" for name in VARIABLES if name in self._variables),
        )

    def shared_memory(self, found: Found) -> SharedMemory | None:
        """Return the room that batches on their way need; None without workers, or where it is not known.

        Workers make ``prefetch`` batches ahead each, and the main process holds one.
        """
        if not found.workers or found.batch_bytes is None or self.shared_free is None:
            return None
        ahead = found.workers * (found.prefetch or PREFETCH)
        return SharedMemory(need=(ahead + 1) * found.batch_bytes, free=self.shared_free, batch=found.batch_bytes)


def _affinity() -> frozenset[int]:
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _memory(root: Path, name: str) -> int | None:
    for line in text(root / "proc/meminfo").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def _least(*known: int | None) -> int | None:
    return min((one for one in known if one is not None), default=None)


def _free(folder: Path) -> int | None:
    try:
        told = os.statvfs(folder)
    except (OSError, AttributeError):
        return None
    return told.f_bavail * told.f_frsize


def _stalled(root: Path) -> float | None:
    """Return the seconds in which some program waited for a core (PSI, in microseconds); None where not counted."""
    for line in text(root / "proc/pressure/cpu").splitlines():
        if line.startswith("some "):
            return int(line.rpartition("total=")[2]) * 1e-6
    return None


def _not_own(one: Snapshot) -> float | None:
    """Return the core time of other programs: neither of the training nor of what looks on."""
    if one.busy_s is None or one.own_s is None or one.self_s is None:
        return None
    return one.busy_s - one.own_s - one.self_s


def _seconds(windows: Sequence[Window]) -> float:
    return sum(window.seconds for window in windows)


def _per_second(windows: Sequence[Window], count: Callable[[Snapshot], float | None]) -> float | None:
    """Return the growth of a count over some windows, a second; None where it is not known, or they are too short."""
    total = 0.0
    for window in windows:
        first, last = count(window.before), count(window.after)
        if first is None or last is None:
            return None
        total += last - first
    seconds = _seconds(windows)
    return max(total, 0.0) / seconds if seconds >= SHORTEST_S else None


def _throttled(windows: Sequence[Window]) -> float | None:
    """Return the share of periods in which a quota was used up, or that of the time, whichever is smaller."""
    pairs = [(window.before.throttling, window.after.throttling) for window in windows]
    known = [(first, last) for first, last in pairs if first is not None and last is not None]
    if not known or len(known) < len(pairs):
        return None
    periods = sum(last.periods - first.periods for first, last in known)
    held = sum(last.throttled - first.throttled for first, last in known)
    waited = sum(last.seconds - first.seconds for first, last in known)
    return min(share(held, periods), share(waited, _seconds(windows)))
