"""The tables of a profile: what text and HTML both show, so that no number differs between them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dlcheck.report.plain import printable
from dlcheck.report.profile_device import devices, memory
from dlcheck.report.profile_table import Row, Table
from dlcheck.report.profile_words import count, interval, percent, span, times
from dlcheck.rules.speed.picture import sound
from dlcheck.rules.speed.settings import recommended, setting_words
from dlcheck.runs import Run
from dlcheck.runs.facts import (
    Ceilings,
    ComputeTrials,
    LoaderSweep,
    LoaderTimes,
    LoaderTrial,
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


def _length(trial: LoaderTrial) -> float | None:
    """Return the time of a step with a setting: measured, else predicted."""
    measured = sound(trial.measured_s)
    return sound(trial.predicted_s) if measured is None else measured


def _over(value: float | None, most: float) -> float | None:
    return value / most if value is not None and math.isfinite(value) and most > 0 else None
