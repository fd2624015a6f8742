"""Quotas that a container or service sets on this process, as Linux's control groups tell them, of both versions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")
UNLIMITED = 1 << 60
"""A memory limit as large is none (version 1 writes the largest number of pages there is)."""


@dataclass(frozen=True, slots=True)
class Throttling:
    """Enforcement periods so far, those in which the quota was used up, and for how long that held threads back."""

    periods: int
    throttled: int
    seconds: float


def quota(root: Path = ROOT) -> float | None:
    """Return the cores that the tightest quota on this process grants; None without one."""
    granted = [cores for group in _groups("cpu", root) if (cores := _granted(group)) is not None]
    return min(granted, default=None)


def throttling(root: Path = ROOT) -> Throttling | None:
    """Return how the quota of the innermost group that has one held this process back; None without one."""
    for group in _groups("cpu", root):
        if _granted(group) is not None and (counts := _counts(group / "cpu.stat")):
            seconds = counts.get("throttled_usec", 0) * 1e-6 + counts.get("throttled_time", 0) * 1e-9
            return Throttling(counts.get("nr_periods", 0), counts.get("nr_throttled", 0), seconds)
    return None


def memory_limit(root: Path = ROOT) -> int | None:
    """Return the bytes that the tightest limit on this process grants; None without one."""
    names = ("memory.max", "memory.limit_in_bytes")
    found = [_number(text(group / name)) for group in _groups("memory", root) for name in names]
    return min((limit for limit in found if limit is not None and limit < UNLIMITED), default=None)


def text(path: Path) -> str:
    """Return what a file of the system holds; empty where it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _groups(controller: str, root: Path) -> list[Path]:
    """Return the folders of this process's groups for a controller, innermost first, up to the mounted root.

    A container sees its own group as the root, or not at all under its name outside: then only the root counts.
    """
    folders: list[Path] = []
    for line in text(root / "proc/self/cgroup").splitlines():
        _, names, place = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        tops = (root / "sys/fs/cgroup" / names,) if names else _unified(root)
        for top in tops:
            inner = Path(place.strip().lstrip("/"))
            folders += [top / part for part in (inner, *inner.parents)]
    return [folder for folder in folders if folder.is_dir()]


def _unified(root: Path) -> tuple[Path, ...]:
    top = root / "sys/fs/cgroup"
    return (top, top / "unified")


def _granted(group: Path) -> float | None:
    limit = text(group / "cpu.max").split()
    if not limit:
        limit = [text(group / "cpu.cfs_quota_us").strip(), text(group / "cpu.cfs_period_us").strip()]
    numbers = [_number(one) for one in limit]
    if len(numbers) != 2 or numbers[0] is None or not numbers[1]:
        return None
    return numbers[0] / numbers[1]


def _number(written: str) -> int | None:
    """Return a whole number above 0; None for ``max``, -1 and what is none."""
    return int(written) if written.strip().isdecimal() and int(written) > 0 else None


def _counts(path: Path) -> dict[str, int]:
    pairs = (line.split() for line in text(path).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}
