"""What a sweep came to, as a fact: each setting with its time or the reason why it has none, and the gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from dlcheck.profiling.candidates import Known, grid_size, present_setting
from dlcheck.profiling.paired import Ratio
from dlcheck.profiling.sweep_choice import WORTH, Entry
from dlcheck.profiling.sweep_lane import Lane
from dlcheck.runs.facts import LoaderSweep, LoaderTrial

HARMFUL = 1.1
"""A setting whose steps take this many times as long is named as slower."""


@dataclass(frozen=True, slots=True)
class Told:
    """A sweep that has ended."""

    known: Known
    entries: Sequence[Entry]
    """All settings, the present one first."""
    order: Sequence[Entry]
    """Those that were tried, in order."""
    best: Entry
    """The one that was confirmed to be faster; else the present one."""
    gain: Ratio | None
    """None where nothing was confirmed."""
    lanes: Mapping[int, Lane]
    """By the identity of their entries."""
    cut_short: bool = False
    """The budget ended first."""

    def fact(self, *, seconds: float, error: str = "") -> LoaderSweep:
        """Return the fact; ``error`` is why the present setting could not be measured."""
        present, gain = self.entries[0], self.gain
        rest = [entry for entry in self.entries if entry is not present and entry not in self.order]
        listed = [present, *self.order, *rest]
        return LoaderSweep(
            current=present_setting(self.known.found),
            trials=tuple(self._trial(entry) for entry in listed),
            best=listed.index(self.best) if self.order and not error else None,
            gain=gain.value if gain is not None else None,
            gain_low=gain.low if gain is not None else None,
            gain_high=gain.high if gain is not None else None,
            seconds=seconds,
            exhaustive=grid_size(self.known),
            note=f"the present setting could not be measured: {error}" if error else self._note(),
        )

    def _trial(self, entry: Entry) -> LoaderTrial:
        lane = self.lanes.get(id(entry))
        measured = entry.relative is not None and lane is not None and lane.made > 0
        return LoaderTrial(
            setting=entry.candidate.setting,
            predicted_s=entry.candidate.predicted_s,
            measured_s=self._scale() * entry.relative if measured and entry.relative is not None else None,
            steps=lane.made if lane is not None else 0,
            startup_s=lane.startup_s if lane is not None else None,
            skipped="" if measured else self._why(entry),
        )

    def _scale(self) -> float:
        """Return the median seconds of a step in the present setting, to which all others are relative."""
        lane = self.lanes.get(id(self.entries[0]))
        return median(lane.costs) if lane is not None and lane.costs else self.known.period_s

    def _why(self, entry: Entry) -> str:
        if entry is self.entries[0]:
            return ""
        reason = entry.failed or entry.candidate.skipped
        return reason or ("the budget ended first" if self.cut_short else "promises no gain")

    def _note(self) -> str:
        told = [self._cause() if not self.order else "", self._harm()]
        if self.order and self.gain is None:
            told.append("no setting is measurably faster than the present one")
        if self.cut_short:
            told.append("the budget ended before every promising setting was measured")
        return "; ".join(part for part in told if part)

    def _cause(self) -> str:
        """Return why nothing was measured."""
        kind, ideal = self.known.found.kind, self.known.ideal_s
        if kind == "memory":
            return "the data is in memory: there is no loader to set"
        if kind not in ("workers", "main"):
            return "the loader is none of PyTorch's, and its settings are not known"
        if ideal is not None and ideal > self.known.period_s * (1 - WORTH):
            return f"the loader keeps up: no setting of it can make a step shorter by {WORTH:.0%}"
        return "" if self.cut_short else "no other setting promises a gain"

    def _harm(self) -> str:
        """Return what more workers cost, where that was seen beyond chance."""
        fewest = self.best.candidate.workers
        slower = [entry for entry in self.entries if entry.slower and entry.candidate.on_ladder]
        slower = [entry for entry in slower if entry.candidate.workers > fewest]
        worst = max(slower, key=lambda entry: entry.relative or 0.0, default=None)
        if worst is None or not worst.relative or not self.best.relative:
            return ""
        times = worst.relative / self.best.relative
        if times < HARMFUL:
            return ""
        number = worst.candidate.workers
        return f"more workers make it slower: with {number} a step takes {times:.1f} times as long as with {fewest}"
