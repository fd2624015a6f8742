"""From rows to facts: where the time of a step goes, and what the making of a batch consists of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, median

import numpy as np

from dlcheck.errors import DlcheckError
from dlcheck.profiling.found import Found
from dlcheck.profiling.parts import epoch_rows, parts, steady
from dlcheck.profiling.rows import BatchRow, StepRow
from dlcheck.runs.facts.profile import PARTS, LoaderTimes, PartTime, StepTimes, TransformTime

WAITED = 0.02
"""Of the median period: a step that waited longer did wait for its batch; shorter is the hand-over of a ready one."""


def step_times(rows: Sequence[StepRow], found: Found, *, startup_s: float | None = None) -> StepTimes:
    """Return where the time of a step goes, over the steps of the steady state.

    Args:
        rows: steps in order; the first ones of the training may be left out already.
        found: what the child found out about the training.
        startup_s: until the first batch of all was there.

    Raises:
        DlcheckError: there is no step.
    """
    if not rows:
        raise DlcheckError("no training step was seen: nothing to account for")
    kept = steady(rows)
    table = np.array([parts(row) for row in kept])
    periods = table.sum(axis=1)
    starts = _epoch_starts(rows)
    return StepTimes(
        device=found.device,
        steps=len(kept),
        period_s=float(np.median(periods)),
        period_p95_s=float(np.percentile(periods, 95)),
        samples=fmean(row.samples for row in kept),
        parts=_part_times(table, kept),
        startup_s=startup_s,
        epoch_starts=len(starts),
        epoch_start_s=median(starts) if starts else None,
        steps_per_epoch=found.steps_per_epoch,
        startup_share=_startup_share(rows, kept, epoch_rows(found)),
        gap_site=found.gap_site,
        optimizer=found.optimizer,
    )


def _part_times(table: np.ndarray, kept: Sequence[StepRow]) -> tuple[PartTime, ...]:
    """Return the parts of a table of shape (steps, parts)."""
    whole = float(table.sum())
    on_device = _device_medians(kept)
    return tuple(
        PartTime(
            name=name,
            median_s=float(np.median(column)),
            p95_s=float(np.percentile(column, 95)),
            share=float(column.sum()) / whole if whole > 0 else 1 / len(PARTS),
            device_s=on_device.get(name),
        )
        for name, column in zip(PARTS, table.T, strict=True)
    )


def _device_medians(kept: Sequence[StepRow]) -> dict[str, float]:
    seen = [row.device for row in kept if row.device is not None]
    columns = zip(*seen, strict=True)
    return {name: median(column) for name, column in zip(PARTS[2:6], columns, strict=False)}


def _epoch_starts(rows: Sequence[StepRow]) -> list[float]:
    """Return how long the first batches of epochs took to come, the very first of all left out."""
    return [max(row.got - row.asked, 0.0) for row in rows if row.first and row.epoch > 0]


def epoch_excess(rows: Sequence[StepRow]) -> float | None:
    """Return by how much the first batch of an epoch comes later than others do, mean; None where none was seen."""
    starts = _epoch_starts(rows)
    ordinary = [row.got - row.asked for row in rows if not row.first]
    if not starts:
        return None
    return max(fmean(starts) - (median(ordinary) if ordinary else 0.0), 0.0)


def _startup_share(rows: Sequence[StepRow], kept: Sequence[StepRow], length: int | None) -> float | None:
    """Return the share that first batches of epochs take beyond what others take, over epochs of their real length.

    The few steps that were observed may hold more beginnings of epochs than the training as a whole does.
    """
    excess = epoch_excess(rows)
    if excess is None:
        return None
    epoch = length or max(len(rows) / len(_epoch_starts(rows)), 1.0)
    whole = excess + epoch * fmean(row.period for row in kept)
    return excess / whole if whole > 0 else 0.0


def loader_times(rows: Sequence[StepRow], found: Found) -> LoaderTimes:
    """Return what the making of a batch consists of; None throughout for a loader that could not be looked into."""
    later = [row for row in rows if not row.first] or list(rows)
    times = LoaderTimes(
        kind=found.kind,
        workers=found.workers,
        batch_size=_batch_size(rows, found),
        prefetch=found.prefetch,
        pin_memory=found.pin_memory,
        persistent=found.persistent,
        start_method=found.start_method,
        dataset=found.dataset,
        fetch_site=found.fetch_site,
        collate_site=found.collate_site,
        loader_site=found.loader_site,
        note=found.note,
    )
    pairs = [(row, row.batch) for row in later if row.batch is not None]
    if not pairs:
        return times
    times = _with_making(times, [batch for _, batch in pairs])
    return _with_handing(times, pairs) if found.workers else times


def _batch_size(rows: Sequence[StepRow], found: Found) -> int:
    if found.batch_size is not None:
        return found.batch_size
    return round(median(row.samples for row in rows)) if rows else 0


def _with_making(times: LoaderTimes, made: Sequence[BatchRow]) -> LoaderTimes:
    """Add what the makers of batches timed."""
    fetch = [max(batch.fetched - batch.began, 0.0) for batch in made]
    busy = sum(batch.fetch_cpu + batch.fetch_queue for batch in made)
    counted = [batch for batch in made if batch.items > 0]
    return replace(
        times,
        batches=len(made),
        fetch_s=median(fetch),
        collate_s=median(batch.collate for batch in made),
        augment_s=median(batch.augment for batch in made),
        fetch_cpu_share=share(busy, sum(fetch)),
        queue_share=share(_queued(made), _making(made)),
        transforms=_transforms(made),
        item_s=median(batch.median for batch in counted) if counted else None,
        slowest_item_s=max(batch.longest for batch in counted) if counted else None,
        slow_share=share(sum(map(_slow, counted)), sum(fetch)) if counted else None,
    )


def _slow(batch: BatchRow) -> float:
    """Return the time of slow samples; one that had to wait for a core is slow for no reason of its own."""
    return max(batch.slow - batch.fetch_queue, 0.0)


def _queued(made: Sequence[BatchRow]) -> float:
    return sum(batch.fetch_queue + batch.collate_queue for batch in made)


def _making(made: Sequence[BatchRow]) -> float:
    return sum(max(batch.ready - batch.began, 0.0) for batch in made)


def _transforms(made: Sequence[BatchRow]) -> tuple[TransformTime, ...]:
    sums: dict[str, float] = defaultdict(float)
    for batch in made:
        for name, seconds in batch.transforms:
            sums[name] += seconds
    times = (TransformTime(name, total / len(made)) for name, total in sums.items())
    return tuple(sorted(times, key=lambda one: (-one.seconds, one.name)))


def _with_handing(times: LoaderTimes, pairs: Sequence[tuple[StepRow, BatchRow]]) -> LoaderTimes:
    """Add how batches came from workers to the main process."""
    late = sum(row.asked < batch.ready for row, batch in pairs)
    stuck = [held(row, batch) for row, batch in _waited(pairs)]
    return replace(times, late_share=share(late, len(pairs)), stuck_s=median(stuck) if stuck else None)


def _waited(pairs: Sequence[tuple[StepRow, BatchRow]]) -> list[tuple[StepRow, BatchRow]]:
    """Return the steps that waited for their batch."""
    limit = WAITED * median(row.period for row, _ in pairs)
    return [(row, batch) for row, batch in pairs if row.wait - row.next_queue > limit]


def held(row: StepRow, batch: BatchRow) -> float:
    """Return for how long a batch that was ready had not arrived, while the main process did nothing but wait for it.

    Its own work on the batch, and its waiting for a core, are left out.
    """
    return max(row.got - max(row.asked, batch.ready) - row.take - row.next_queue, 0.0)


def share(part: float, whole: float) -> float:
    """Return a part of a whole within 0 and 1; 0 of nothing."""
    return min(max(part / whole, 0.0), 1.0) if whole > 0 else 0.0


def queue_shares(rows: Sequence[StepRow], found: Found) -> tuple[float | None, float | None]:
    """Return the shares in which the main thread, and those that make batches in workers, waited for a core.

    None is what was not seen: there is no step, or no worker whose batches carry their times.
    """
    whole = sum(row.period for row in rows)
    main = share(sum(row.queue for row in rows), whole) if whole > 0 else None
    made = [row.batch for row in rows if row.batch is not None] if found.workers else []
    return main, share(_queued(made), _making(made)) if made else None
