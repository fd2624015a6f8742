"""The tables of a profile: what text and HTML both show, so that no number differs between them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dlcheck.report.plain import printable
from dlcheck.report.profile_words import count, flops, interval, percent, size, span, times
from dlcheck.rules.speed.picture import sound
from dlcheck.rules.speed.settings import recommended, setting_words
from dlcheck.runs import Run
from dlcheck.runs.facts import (
    Ceilings,
    ComputeTrials,
    DeviceUse,
    LoaderSweep,
    LoaderTimes,
    LoaderTrial,
    MemoryNeed,
    StepTimes,
    Syncs,
    fact,
)

WORDS = {
    "wait": "waiting for the batch",
    "take": "taking the batch",
    "copy": "copy to the device",
    "forward": "forward pass",
    "backward": "backward pass",
    "optimizer": "optimizer",
    "inside": "other, in the step",
    "outside": "other, after the step",
}
"""What each part of a step is."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    cells: tuple[str, ...]
    """In words; the first names the line."""
    bar: float | None = None
    """Length of the bar from 0 to 1, None without one."""
    low: float | None = None
    high: float | None = None
    """Ends of an interval, on the scale of the bar."""
    kind: str = ""
    """``best``, ``now``, a part of a step, or nothing: how the bar looks."""


@dataclass(frozen=True, slots=True)
class Table:
    """Lines under a heading."""

    title: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""


def tables(run: Run) -> list[Table]:
    """Return all tables for which there is something to show, but that of the parts of a step."""
    known = (making(run), ceilings(run), sweep(run), trials(run), syncs(run), memory(run), devices(run))
    return [table for table in known if table is not None and table.rows]


def parts(run: Run) -> Table | None:
    """Return where the time of a step goes; parts that take none are left out."""
    steps = fact(run, StepTimes)
    if steps is None:
        return None
    shown = [part for part in steps.parts if part.share > 0]
    on_device = any(part.device_s is not None for part in shown)
    rows = []
    for part in shown:
        cells = (WORDS.get(part.name, printable(part.name)), span(part.median_s), span(part.p95_s), percent(part.share))
        device = (span(part.device_s),) if on_device else ()
        rows.append(Row((*cells, *device), min(part.share, 1.0), kind=part.name if part.name in WORDS else ""))
    device_head = ("on the device",) if on_device else ()
    head = ("part", "median", "95th percentile", "share", *device_head)
    return Table("Where a step goes", head, tuple(rows), "; ".join(beginnings(steps)))


def beginnings(steps: StepTimes) -> Iterator[str]:
    """Yield what the first batch and beginnings of epochs cost."""
    if steps.startup_s is not None:
        yield f"first batch of all after {span(steps.startup_s)}"
    if steps.epoch_start_s is not None and steps.epoch_starts > 0:
        share = f", {percent(steps.startup_share)} of the time" if steps.startup_share is not None else ""
        yield f"first batch of a later epoch after {span(steps.epoch_start_s)} ({steps.epoch_starts} seen{share})"


def making(run: Run) -> Table | None:
    """Return what the making of a batch consists of."""
    loader = fact(run, LoaderTimes)
    if loader is None:
        return None
    named = [(f"the transform {item.name}", item.seconds) for item in loader.transforms[:4]]
    known = [
        ("fetching: reading, decoding, transforms", loader.fetch_s),
        *[(f"of these, {name}", seconds) for name, seconds in named],
        ("collating", loader.collate_s),
        ("transforms of the whole batch", loader.augment_s),
        ("hand-over to the main process", loader.stuck_s),
    ]
    shown = [(name, value) for name, value in known if value is not None and math.isfinite(value) and value >= 0]
    most = max((value for _, value in shown), default=0.0)
    rows = tuple(Row((printable(name), span(value)), value / most if most > 0 else None) for name, value in shown)
    return Table("Making a batch", ("part", "a batch"), rows, "; ".join(how_made(loader)))


def how_made(loader: LoaderTimes) -> Iterator[str]:
    """Yield who makes batches, and what else was seen of it."""
    if loader.workers > 0:
        yield f"{loader.workers} worker{'s' if loader.workers > 1 else ''}, prefetch {loader.prefetch or 'unknown'}"
    else:
        yield {"memory": "gathered from memory", "opaque": "a loader of another kind"}.get(
            loader.kind, "made in the main process"
        )
    if loader.late_share is not None:
        yield f"{percent(loader.late_share)} of batches late"
    if loader.fetch_cpu_share is not None:
        yield f"{percent(loader.fetch_cpu_share)} of fetching at work or waiting for a core"
    if loader.slowest_item_s is not None and loader.item_s is not None:
        yield f"a sample {span(loader.item_s)}, the slowest {span(loader.slowest_item_s)}"
    if loader.note:
        yield printable(loader.note)


def ceilings(run: Run) -> Table | None:
    """Return how fast the training is, and would be."""
    known = fact(run, Ceilings)
    if known is None:
        return None
    rates = [
        ("as it is", known.now, "now"),
        ("without loading", known.copied, "best"),
        ("without loading and copying", known.ideal, "best"),
        ("the loader alone", known.loader, ""),
    ]
    shown = [(name, one, kind) for name, one, kind in rates if one is not None and math.isfinite(one.value)]
    most = max((one.high for _, one, _ in shown if math.isfinite(one.high)), default=0.0)
    rows = []
    for name, one, kind in shown:
        scale = [end / most if most > 0 and math.isfinite(end) else None for end in (one.value, one.low, one.high)]
        rows.append(Row((name, count(one.value), interval(one)), scale[0], scale[1], scale[2], kind))
    return Table("How fast it is, and could be", ("", "samples/s", "95 % interval"), tuple(rows), printable(known.note))


def sweep(run: Run, most: int = 0) -> Table | None:
    """Return the settings of the loader that were tried, the present one first; ``most`` rows at most, 0: all."""
    known = fact(run, LoaderSweep)
    if known is None or not known.trials:
        return None
    best = recommended(known)
    shown = _chosen(known.trials, best, most)
    slowest = max((_length(one) or 0.0 for one in shown), default=0.0)
    rows = []
    for trial in shown:
        kind = "best" if trial is best else "now" if trial is known.trials[0] else ""
        length = _length(trial)
        bar = min(max(length / slowest, 0.0), 1.0) if length is not None and slowest > 0 else None
        words = setting_words(trial.setting, None if kind == "now" else known.current)
        told = {"best": "best", "now": "present"}.get(kind, printable(trial.skipped))
        rows.append(Row((words, span(trial.predicted_s), span(trial.measured_s), told), bar, kind=kind))
    return Table("Settings of the loader", ("setting", "predicted", "measured", ""), tuple(rows), swept(known, most))


def swept(known: LoaderSweep, most: int = 0) -> str:
    """Return what the sweep came to."""
    told = []
    if recommended(known) is not None:
        ends = f"{times(known.gain_low)} to {times(known.gain_high)}"
        told.append(f"the best is {times(known.gain)} times as fast as the present (95 % interval {ends})")
    else:
        told.append("none is faster than the present one for sure")
    measured = sum(trial.measured_s is not None for trial in known.trials)
    left = f" of {known.exhaustive} in a full grid" if known.exhaustive else ""
    told.append(f"{measured} settings measured{left}, in {span(known.seconds)}")
    return "; ".join([*told, *([printable(known.note)] if known.note else [])])


def _chosen(trials: Sequence[LoaderTrial], best: LoaderTrial | None, most: int) -> list[LoaderTrial]:
    """Return the present setting, then the fastest ones, then those that were only predicted or skipped."""
    rest = sorted(trials[1:], key=lambda one: (sound(one.measured_s) is None, _length(one) or math.inf))
    shown = [trials[0], *rest]
    if not most or len(shown) <= most:
        return shown
    kept = shown[:most]
    return kept if best is None or best in kept else [*kept[:-1], best]


def trials(run: Run) -> Table | None:
    """Return what other precisions, memory formats and compilation bring."""
    known = fact(run, ComputeTrials)
    if known is None:
        return None
    most = max((one.ratio for one in known.trials if one.ratio is not None and math.isfinite(one.ratio)), default=0.0)
    rows = []
    for one in known.trials:
        scale = [_over(value, most) for value in (one.ratio, one.low, one.high)]
        loss = "" if one.same_loss is None else "the same" if one.same_loss else "another"
        ends = f"{times(one.low)} to {times(one.high)}" if one.low is not None and one.high is not None else "-"
        once = span(one.startup_s) if one.startup_s is not None else ""
        cells = (printable(one.name), times(one.ratio), ends, loss, once, printable(one.note))
        rows.append(Row(cells, scale[0], scale[1], scale[2], "best" if (one.low or 0.0) > 1 else ""))
    head = ("computation", "times as fast", "95 % interval", "loss", "once", "")
    return Table("Other ways to compute", head, tuple(rows))


def syncs(run: Run) -> Table | None:
    """Return the places at which the host waits for the device."""
    known = fact(run, Syncs)
    if known is None:
        return None
    rows = []
    for point in known.points[:8]:
        place = f"{point.site.file}:{point.site.line}" if point.site is not None else ""
        rows.append(Row((printable(point.what), count(point.per_step), span(point.seconds), printable(place))))
    return Table("Where the host waits for the device", ("what", "a step", "time a step", "at"), tuple(rows))


def memory(run: Run) -> Table | None:
    """Return the bytes of a step by cause."""
    need = fact(run, MemoryNeed)
    if need is None:
        return None
    most = {part.name: part.bytes for part in need.most}
    total = max(need.total, 1)
    rows = []
    for key, name in MEMORY.items():
        value = max(int(getattr(need, key)), 0)
        if value or most.get(key):
            share = min(value / total, 1.0)
            rows.append(Row((name, size(value), percent(share), *([size(most.get(key))] if most else [])), share))
    rows.append(Row(("together", size(need.total), "", *([""] if most else [])), kind="sum"))
    head = ("cause", "at the peak", "share", *(["most at any moment"] if most else []))
    return Table("Memory of a step", head, tuple(rows), "; ".join(room(need)))


MEMORY = {
    "parameters": "parameters",
    "gradients": "gradients",
    "optimizer": "state of the optimizer",
    "activations": "activations",
    "workspace": "workspace",
    "batch": "batch",
    "buffers": "buffers",
}
"""Causes of memory, by field of ``MemoryNeed``."""
PHASES = {"forward": "the forward pass", "backward": "the backward pass", "optimizer": "the optimizer's step"}


def room(need: MemoryNeed) -> Iterator[str]:
    """Yield for which batch the memory is, what was measured, and what would fit."""
    yield f"for {need.batch_size} samples{f', at its peak in {PHASES[need.phase]}' if need.phase in PHASES else ''}"
    if need.measured_peak is not None:
        yield f"measured peak {size(need.measured_peak)}"
    if need.capacity is not None and need.capacity > 0:
        fits = f", room for {count(need.largest_batch)} samples" if need.largest_batch is not None else ""
        yield f"{size(need.capacity)} on {printable(need.device)}{fits}"
    if need.note:
        yield printable(need.note)


def devices(run: Run) -> Table | None:
    """Return what the device reaches, and beside it the machine's other one."""
    use = fact(run, DeviceUse)
    if use is None:
        return None
    rows = []
    for one in (use.device, *([use.other] if use.other is not None else [])):
        speed = f"{size(one.bandwidth)}/s" if one.bandwidth is not None else "-"
        rows.append(Row((printable(f"{one.name}, {one.dtype}"), flops(one.matmul_flops), speed, span(one.step_s))))
    head = ("device", "matrix product", "memory", "a step on ready batches")
    return Table("The device", head, tuple(rows), "; ".join(used(use)))


def used(use: DeviceUse) -> Iterator[str]:
    """Yield how much of the device the training uses."""
    if use.achieved_flops is not None:
        share = f", {percent(use.model_flop_utilization)} of it" if use.model_flop_utilization is not None else ""
        yield f"the training reaches {flops(use.achieved_flops)}{share}"
    if use.utilization is not None:
        yield f"a kernel at work {percent(use.utilization)} of the time"
    if use.memory_used is not None and use.memory_total is not None:
        yield f"{size(use.memory_used)} of {size(use.memory_total)} in use"
    if use.note:
        yield printable(use.note)


def _length(trial: LoaderTrial) -> float | None:
    """Return the time of a step with a setting: measured, else predicted."""
    measured = sound(trial.measured_s)
    return sound(trial.predicted_s) if measured is None else measured


def _over(value: float | None, most: float) -> float | None:
    return value / most if value is not None and math.isfinite(value) and most > 0 else None
