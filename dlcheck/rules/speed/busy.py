"""What waiting for a core says: other programs on the machine, or too many threads and workers of its own."""

from __future__ import annotations

from dataclasses import dataclass

from dlcheck.rules.rule import Limits
from dlcheck.rules.speed.picture import Picture, sound
from dlcheck.runs.facts import CpuUse

MOST_QUEUE = 0.9
"""A larger share of waiting for a core leaves nothing to reckon with."""


@dataclass(frozen=True, slots=True)
class Span:
    """A share of the period and the ends between which it lies, were the machine calm."""

    value: float
    low: float
    high: float

    def above(self, limit: float) -> bool | None:
        """Return whether the share reaches a limit; None where a busy machine leaves that open."""
        if self.low >= limit:
            return True
        return None if self.high >= limit else False


def queued(cpu: CpuUse | None) -> float:
    """Return the larger share of time that the main process or a worker waited for a core; 0 where unknown."""
    if cpu is None:
        return 0.0
    known = (sound(cpu.main_queue_share, 1.0), sound(cpu.worker_queue_share, 1.0), sound(cpu.throttled_share, 1.0))
    return max((share for share in known if share is not None), default=0.0)


def others(cpu: CpuUse | None) -> float | None:
    """Return the share of the cores that other programs kept busy, None where that is not known."""
    if cpu is None or not sound(cpu.cores):
        return None
    busy = sound(cpu.others_cores)
    return None if busy is None else min(1.0, busy / cpu.cores)


def contended(seen: Picture, limits: Limits) -> bool:
    """Return whether other programs took so much of the machine that shares may be off."""
    if queued(seen.cpu) < limits["queue"]:
        return False
    taken = others(seen.cpu)
    if taken is None:
        return not crowding(seen.cpu) and queued(seen.cpu) >= 2 * limits["queue"]
    return taken >= limits["others"]


def crowding(cpu: CpuUse | None) -> str:
    """Return in words what of its own asks for more cores than there are; empty where nothing does."""
    if cpu is None or not sound(cpu.cores):
        return ""
    cores = max(1.0, cpu.cores)
    if cpu.threads > cores:
        return f"{cpu.threads} threads compute on {cpu.cores:g} {'core' if cpu.cores == 1 else 'cores'}"
    if cpu.workers > 0 and cpu.worker_threads > 1 and cpu.workers * cpu.worker_threads > cores:
        return f"{cpu.workers} workers of {cpu.worker_threads} threads each share {cpu.cores:g} cores"
    if cpu.workers > 2 * cores:
        return f"{cpu.workers} workers share {cpu.cores:g} cores"
    return ""


def span(seen: Picture, share: float, limits: Limits) -> Span:
    """Return a share of the period with the ends it may have had on a calm machine.

    At worst all waiting for a core fell into this part, at best none of it. Without other programs both ends are the
    share itself.
    """
    if not contended(seen, limits) or seen.cpu is None:
        return Span(share, share, share)
    queue = min(MOST_QUEUE, sound(seen.cpu.main_queue_share, 1.0) or queued(seen.cpu))
    return Span(share, max(0.0, share - queue) / (1 - queue), min(1.0, share / (1 - queue)))


def why_unsure(seen: Picture) -> str:
    """Return in words why the machine is too busy to tell."""
    waited = f"{queued(seen.cpu):.0%} of the time went into waiting for a core"
    taken, cpu = others(seen.cpu), seen.cpu
    if taken is None or cpu is None:
        return f"the machine was too busy to tell: {waited}"
    return f"other programs kept {cpu.others_cores:.1f} of {cpu.cores:g} cores busy, and {waited}"
