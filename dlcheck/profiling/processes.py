"""Core time and memory of a process and all that descend from it, as ``/proc`` tells them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dlcheck.profiling.cgroup import ROOT, text

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
"""In which the system counts core time, a second (proc_pid_stat(5))."""
PARENT, TIMES = 1, slice(11, 15)
"""Fields behind the name: the parent; user and system time of its own and of children that have ended."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process."""

    pid: int
    parent: int
    seconds: float
    """On a core, that of its ended children included."""


def tree(pid: int, root: Path = ROOT) -> dict[int, Process]:
    """Return a process and all its descendants; empty where the system does not tell."""
    known = {one.pid: one for one in _all(root)}
    children: dict[int, list[int]] = defaultdict(list)
    for one in known.values():
        children[one.parent].append(one.pid)
    found: dict[int, Process] = {}
    left = [pid] if pid in known else []
    while left:
        now = left.pop()
        found[now] = known[now]
        left += [child for child in children[now] if child not in found]
    return found


def _all(root: Path) -> Iterable[Process]:
    try:
        names = [entry.name for entry in (root / "proc").iterdir()]
    except OSError:
        return
    for name in names:
        if name.isdecimal() and (one := _process(text(root / "proc" / name / "stat"))) is not None:
            yield one


def _process(line: str) -> Process | None:
    """Return what a line tells; its name may hold spaces and parentheses. None for a process that has gone."""
    head, _, rest = line.rpartition(")")
    fields = rest.split()
    if len(fields) < TIMES.stop or not head:
        return None
    return Process(int(head.split(" ", 1)[0]), int(fields[PARENT]), sum(map(int, fields[TIMES])) / TICKS)


def own_memory(pids: Iterable[int], root: Path = ROOT) -> dict[int, int]:
    """Return the bytes that each process has for itself: neither files that it maps nor memory shared by name.

    So a data set that is mapped from a file, or batches on their way, are no growth.
    """
    found: dict[int, int] = {}
    for pid in pids:
        for line in text(root / "proc" / str(pid) / "status").splitlines():
            if line.startswith("RssAnon:"):
                found[pid] = int(line.split()[1]) * 1024
    return found


def busy_seconds(cpus: Iterable[int], root: Path = ROOT) -> float | None:
    """Return the core time that some cores have given to all programs, other machines' of a host included.

    Returns:
        Seconds since the start of the system; None where it does not tell.
    """
    wanted = {f"cpu{number}" for number in cpus}
    total, seen = 0, False
    for line in text(root / "proc/stat").splitlines():
        name, *fields = line.split()
        if name in wanted and len(fields) >= 8:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
            total += user + nice + system + irq + softirq + steal
            seen = True
    return total / TICKS if seen else None
