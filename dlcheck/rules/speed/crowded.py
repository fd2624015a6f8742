"""Threads and workers that ask for more cores than there are."""

from __future__ import annotations

from dlcheck.rules.rule import Limits
from dlcheck.rules.speed.busy import Span, contended, crowding, queued
from dlcheck.rules.speed.gain import promised
from dlcheck.rules.speed.picture import LOADING, Picture, sound
from dlcheck.rules.speed.stall import Stall
from dlcheck.runs.facts import CpuUse

MOST_RATIO = 1e3


def cpu_stall(seen: Picture, limits: Limits) -> Stall | None:
    """Return what too many threads or workers cost; None where they do not, or nothing shows it.

    Measured in turns with fewer threads where that was done; otherwise more asked for than there is, with a queue.
    """
    cpu = seen.cpu
    if cpu is None:
        return None
    ratio = sound(cpu.calm_ratio, MOST_RATIO)
    faster = ratio is not None and ratio >= limits["calm"]
    asked, waits = crowding(cpu), queued(cpu) >= limits["queue"]
    if not faster and not (asked and waits):
        return None
    value = 1 - 1 / ratio if faster and ratio else _queue(seen, cpu)
    denied = ratio is not None and not faster and cpu.threads > cpu.cores
    if value < limits["share"] or value * seen.period_s * 1e3 < limits["floor_ms"]:
        return None
    share = Span(value, 0.0 if contended(seen, limits) else value, value)
    agreed = (faster and waits) or (bool(asked) and (faster or queued(cpu) >= 2 * limits["queue"]))
    words = asked or f"{cpu.threads} threads and {cpu.workers} workers get in each other's way"
    return Stall("cpu", "oversubscribed", share, value * seen.period_s, agreed, denied, promised(share), words)


def _queue(seen: Picture, cpu: CpuUse) -> float:
    """Return the share of the period that waiting for a core cost: of the main thread, or of workers it waited for."""
    main = sound(cpu.main_queue_share, 1.0) or sound(cpu.throttled_share, 1.0) or 0.0
    workers = sound(cpu.worker_queue_share, 1.0) or 0.0
    return max(main, workers * seen.share(*LOADING))
