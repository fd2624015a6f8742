"""A profile's numbers in words, the same in every format."""

from __future__ import annotations

import math

from dlcheck.report.report import Report
from dlcheck.rules.rule import Unchecked
from dlcheck.rules.speed.amounts import amount
from dlcheck.rules.speed.bound import Bound, bound
from dlcheck.rules.speed.gain import Gain
from dlcheck.rules.speed.settings import recommended, setting_arguments
from dlcheck.runs.facts import Ceilings, LoaderSweep, Rate, fact

TITLES = {
    "input": "input-bound",
    "copy": "copy-bound",
    "launch": "launch-bound",
    "sync": "sync-bound",
    "startup": "start-up-bound",
    "cpu": "short of cores",
    "gap": "held up beside the computation",
    "compute": "compute-bound",
    "inconclusive": "inconclusive",
}
"""What a training is bound by, in a word or two."""
CODES = {
    "input": "P501",
    "copy": "P502",
    "launch": "P503",
    "sync": "P504",
    "startup": "P505",
    "cpu": "P506",
    "gap": "P513",
}
"""Rule whose finding says the same as the verdict."""
NOTHING = "nothing could be told: no step was timed"
_FLOPS = ((1e15, "PFLOP/s"), (1e12, "TFLOP/s"), (1e9, "GFLOP/s"), (1e6, "MFLOP/s"))


def bound_of(report: Report) -> Bound | None:
    """Return what the training is bound by, None where no step was timed."""
    try:
        return bound(report.run)
    except Unchecked:
        return None


def title(found: Bound | None) -> str:
    """Return the verdict in a sentence, beginning with its name."""
    return NOTHING if found is None else f"{TITLES[found.kind]}: {found.words}"


def span(seconds: float | None) -> str:
    """Return a time to three digits in milliseconds, from a second on in seconds; ``-`` where it was not measured."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    size = abs(seconds)
    if size >= 1:
        return f"{seconds:.3g} s" if size < 1000 else f"{seconds:,.0f} s"
    return "0 ms" if size < 5e-7 else f"{float(f'{seconds * 1e3:.3g}'):.{_decimals(size * 1e3)}f} ms"


def percent(share: float | None) -> str:
    """Return a share in percent, below one with a decimal; ``-`` where it was not measured."""
    if share is None or not math.isfinite(share):
        return "-"
    return f"{share:.1%}" if 0 < share < 0.00995 else f"{share:.0%}"


def times(ratio: float | None) -> str:
    """Return a ratio as ``2.57``; ``-`` where it was not measured."""
    return "-" if ratio is None or not math.isfinite(ratio) else f"{ratio:.3g}" if ratio >= 100 else f"{ratio:.2f}"


def count(value: float | None) -> str:
    """Return a number of things without false precision: three digits."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rate(known: Rate) -> str:
    """Return samples a second."""
    return f"{count(known.value)} samples/s"


def interval(known: Rate | Gain) -> str:
    """Return the ends of a 95 % interval."""
    word = times if isinstance(known, Gain) else count
    return f"{word(known.low)} to {word(known.high)}"


def flops(value: float | None) -> str:
    """Return floating-point operations a second."""
    if value is None or not math.isfinite(value):
        return "-"
    unit, name = next(((unit, name) for unit, name in _FLOPS if value >= unit), (1.0, "FLOP/s"))
    return f"{value / unit:.3g} {name}"


def size(value: float | None) -> str:
    """Return bytes; ``-`` where they were not measured."""
    return "-" if value is None else amount(float(value))


def promise(found: Bound | None) -> str:
    """Return how fast the training is and what ending its stall would bring; empty where nothing is to end."""
    if found is None or found.gain is None:
        return ""
    gain = found.gain
    how = f"measured; 95 %: {interval(gain)}" if gain.measured else "by its share of the time"
    return f"without it {times(gain.value)} times as fast ({how})"


def notes(report: Report) -> list[str]:
    """Return what the profile says of itself, as which pass had no time."""
    told = report.run.facts.get("notes")
    return [str(note) for note in told] if isinstance(told, list | tuple) else []


def next_line(report: Report) -> str:
    """Return what to do next: what the caller says, the setting that was measured to be best, or the rule's page."""
    if report.then:
        return f"next: {report.then}"
    sweep = fact(report.run, LoaderSweep)
    best = recommended(sweep)
    if report.run.meta.get("recipe") and best is not None:
        return f"next: dlcheck profile-gpu {report.source} --write, which writes the best setting into the recipe"
    if sweep is not None and best is not None and (call := setting_arguments(best.setting, sweep.current)):
        return f"next: give the DataLoader {call}"
    grave = [item for item in report.outcome.findings if item.primary and item.severity.label != "info"]
    found = bound_of(report)
    if not grave and found is not None and found.kind == "inconclusive":
        return "next: the same again when the machine is quieter"
    return f"next: dlcheck explain {grave[0].code}" if grave else "next: nothing to mend"


def _decimals(milliseconds: float) -> int:
    """Return the decimals that make three digits."""
    return max(0, min(4, 2 - math.floor(math.log10(milliseconds)))) if milliseconds > 0 else 0


def speed_line(report: Report, found: Bound | None) -> str:
    """Return how fast a training is now, and would be without what it waits for; empty where nothing is known."""
    known, gain = fact(report.run, Ceilings), promise(found)
    now = f"now {rate(known.now)} (95 %: {interval(known.now)})" if known is not None else ""
    return "; ".join(part for part in (now, gain) if part)
