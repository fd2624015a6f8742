"""Threads and workers that ask for more cores than there are, or do more harm than good."""

from __future__ import annotations

from dlcheck.rules.rule import Limits
from dlcheck.rules.speed.busy import Span, contended, crowding, queued
from dlcheck.rules.speed.gain import Gain, promised
from dlcheck.rules.speed.picture import LOADING, Picture, sound
from dlcheck.rules.speed.settings import fewer_workers
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


def harm_stall(seen: Picture, limits: Limits) -> Stall | None:
    """Return what workers cost that a sweep measured, in turns, to be slower than fewer of them; None where not."""
    sweep = seen.sweep
    found = fewer_workers(sweep, limits["fewer"])
    gain = sound(sweep.gain, MOST_RATIO) if sweep is not None else None
    if sweep is None or found is None or gain is None or gain <= 1:
        return None
    low, high = (sound(end, MOST_RATIO) or gain for end in (sweep.gain_low, sweep.gain_high))
    value = 1 - 1 / gain
    share = Span(value, value, value)
    words = f"{found[0]} workers, with which it is slower than with {found[1]}"
    measured = Gain(gain, low, high, measured=True)
    return Stall("cpu", "workers-harmful", share, value * seen.period_s, True, False, measured, words)


def _queue(seen: Picture, cpu: CpuUse) -> float:
    """Return the share of the period that waiting for a core cost: of the main thread, or of workers it waited for."""
    main = sound(cpu.main_queue_share, 1.0) or sound(cpu.throttled_share, 1.0) or 0.0
    workers = sound(cpu.worker_queue_share, 1.0) or 0.0
    return max(main, workers * seen.share(*LOADING))
