"""The observed steps as a trace that ui.perfetto.dev and chrome://tracing open.

The format is that of "Trace Event Format" (Google, Chromium project): complete, flow, counter, instant and metadata
events, moments and durations in microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.profiling.found import Found
from dlcheck.profiling.parts import parts
from dlcheck.profiling.rows import BatchRow, StepRow
from dlcheck.runs import write_atomic
from dlcheck.runs.facts.profile import PARTS

MOST_BYTES = 5_000_000
"""Of the file; later steps are left out."""
STEPS, WITHIN, MAKING = 1, 2, 1
"""Rows of the main process, and the one of a worker."""
WITHIN_LOADING = 3
"""Row of the main process for batches that it makes itself."""

Event = dict[str, object]
ORDER = ("wait", "take", "copy", "forward", "backward", "inside", "optimizer", "outside")
"""In which the parts are drawn; ``inside`` is a remainder, which may have lain anywhere before the optimizer."""


def write_trace(
    path: Path, rows: Sequence[StepRow], found: Found, *, title: str = "", most_bytes: int = MOST_BYTES
) -> int:
    """Write a trace into a new file of at most so many bytes, and return how many of the first steps it holds.

    Raises:
        DlcheckError: the file exists, or cannot be written.
    """
    kept = list(rows)
    text = json.dumps(trace(kept, found, title=title), allow_nan=False, separators=(",", ":"))
    while len(text) > most_bytes and len(kept) > 1:
        kept = kept[: max(1, int(len(kept) * 0.95 * most_bytes / len(text)))]
        text = json.dumps(trace(kept, found, title=title), allow_nan=False, separators=(",", ":"))
    if path.exists():
        raise DlcheckError(f"{path}: exists already; nothing is ever overwritten")
    write_atomic(path, text)
    return len(kept)


def trace(rows: Sequence[StepRow], found: Found, *, title: str = "") -> dict[str, object]:
    """Return the trace of some steps, in order, as it is written.

    The main process has one row for whole steps and one for their parts, each worker one for the batches that it
    made; an arrow leads from a batch that is ready to the step that takes it, and a counter tells how many are.
    """
    drawing = _Drawing(rows, found)
    return {
        "displayTimeUnit": "ms",
        "otherData": {"title": title, "device": found.device, "steps": len(rows)},
        "traceEvents": [*drawing.names(), *drawing.steps(), *drawing.batches(), *drawing.counts()],
    }


class _Drawing:
    """Events of some steps."""

    def __init__(self, rows: Sequence[StepRow], found: Found) -> None:
        self.rows, self.main = rows, found.main_pid
        moments = [row.asked for row in rows] + [row.batch.began for row in rows if row.batch is not None]
        self.start = min(moments, default=0.0)
        self.made = [(number, row, row.batch) for number, row in enumerate(rows) if row.batch is not None]
        self.by_workers = found.workers > 0
        pids = sorted({batch.pid for _, _, batch in self.made}) if self.by_workers else []
        self.workers = {pid: number for number, pid in enumerate(pids)}

    def _at(self, moment: float) -> float:
        return round((moment - self.start) * 1e6, 3)

    def _slice(self, name: str, ends: tuple[float, float], place: tuple[int, int], **told: object) -> Event:
        began, ended = self._at(ends[0]), self._at(max(ends))
        event: Event = {"ph": "X", "name": name, "ts": began, "dur": round(ended - began, 3)}
        event |= {"pid": place[0], "tid": place[1]}
        return event | ({"args": told} if told else {})

    def names(self) -> Iterator[Event]:
        """Return what the rows are called."""
        rows = {STEPS: "steps", WITHIN: "parts of a step"}
        if self.made and not self.by_workers:
            rows[WITHIN_LOADING] = "loading"
        yield from _named(self.main, "training", rows, order=0)
        for pid, number in self.workers.items():
            yield from _named(pid, f"worker {number}", {MAKING: "batches"}, order=number + 1)

    def steps(self) -> Iterator[Event]:
        """Return the steps and their parts."""
        for number, row in enumerate(self.rows):
            told: dict[str, object] = {"samples": row.samples, "epoch": row.epoch}
            if row.device is not None:
                told["device_ms"] = dict(zip(PARTS[2:6], (round(1e3 * one, 4) for one in row.device), strict=True))
            yield self._slice(f"step {number}", (row.asked, row.ended), (self.main, STEPS), **told)
            if row.first:
                begin: Event = {"ph": "i", "s": "p", "name": f"epoch {row.epoch}", "ts": self._at(row.asked)}
                yield begin | {"pid": self.main, "tid": STEPS}
            yield from self._parts(row)

    def _parts(self, row: StepRow) -> Iterator[Event]:
        seconds: Mapping[str, float] = dict(zip(PARTS, parts(row), strict=True))
        moment = row.asked
        for name in ORDER:
            if seconds[name] > 0:
                yield self._slice(name, (moment, moment + seconds[name]), (self.main, WITHIN))
            moment += seconds[name]

    def batches(self) -> Iterator[Event]:
        """Return the making of batches, and the arrows from there to the steps that take them."""
        for number, row, batch in self.made:
            place = (batch.pid, MAKING) if self.by_workers else (self.main, WITHIN_LOADING)
            yield from self._making(batch, place)
            if self.by_workers:
                arrow: Event = {"cat": "batch", "name": "batch", "id": number}
                begins = {"ts": self._within(batch.began, batch.ready), "pid": batch.pid, "tid": MAKING}
                yield arrow | {"ph": "s"} | begins
                ends = {"ts": self._within(row.asked, row.got), "pid": self.main, "tid": STEPS}
                yield arrow | {"ph": "f", "bp": "e"} | ends

    def _within(self, began: float, ended: float) -> float:
        """Return the last moment that lies within a slice: an arrow belongs to the slice around its end."""
        return max(self._at(began), round(self._at(ended) - 0.001, 3))

    def _making(self, batch: BatchRow, place: tuple[int, int]) -> Iterator[Event]:
        told = {"samples": batch.items, "cpu_ms": round(1e3 * batch.fetch_cpu, 4)}
        told["waited_for_core_ms"] = round(1e3 * batch.fetch_queue, 4)
        yield self._slice("fetch", (batch.began, batch.fetched), place, **told)
        moment = batch.began
        for name, seconds in batch.transforms:  # summed over the samples, so drawn one after the other
            ended = min(moment + seconds, batch.fetched)
            if ended > moment:
                yield self._slice(name, (moment, ended), place)
            moment = ended
        augmented = min(batch.fetched + batch.augment, batch.ready)
        if batch.augment > 0:
            yield self._slice("augment", (batch.fetched, augmented), place)
        yield self._slice("collate", (augmented, batch.ready), place)

    def counts(self) -> Iterator[Event]:
        """Return how many batches are ready and not yet taken, whenever that changes."""
        made = self.made if self.by_workers else []
        changes = [(batch.ready, 1) for _, _, batch in made]
        changes += [(max(row.got, batch.ready), -1) for _, row, batch in made]
        ready = 0
        for moment, change in sorted(changes, key=lambda one: (one[0], -one[1])):
            ready += change
            yield {
                "ph": "C",
                "name": "ready batches",
                "ts": self._at(moment),
                "pid": self.main,
                "args": {"batches": ready},
            }


def _named(pid: int, name: str, rows: Mapping[int, str], *, order: int) -> Iterator[Event]:
    yield {"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}
    yield {"ph": "M", "name": "process_sort_index", "pid": pid, "tid": 0, "args": {"sort_index": order}}
    for tid, called in rows.items():
        yield {"ph": "M", "name": "thread_name", "pid": pid, "tid": tid, "args": {"name": called}}
