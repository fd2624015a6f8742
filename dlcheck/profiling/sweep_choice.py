"""Which setting to measure next: the most promising of those that may still win."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from dlcheck.profiling.candidates import ALIKE, Candidate

WORTH = 0.04
"""A setting that promises a smaller gain over the best so far is not measured: less than a noisy machine can tell."""
ROOMY = 1.10
"""Rough expectation over the prediction, up to which a setting is not at the very edge: workers need no more than some
five sixths of the time that there is."""
MISSED = 0.10
"""Predictions of which one missed what was measured by more are not believed."""
ERROR = 0.98
"""Of a believed prediction; what is measured may be a little less."""
REACHED = 1.15
"""A setting within this of the least that it can take has no more to gain from workers."""
SLACK = 0.95
"""Of the least that a step can take; times that it follows from were measured on a machine that was not alone."""


@dataclass(slots=True)
class Entry:
    """A candidate and what came of it."""

    candidate: Candidate
    relative: float | None = None
    """Measured time of a step over that of the present setting."""
    slower: bool = False
    """It lost against the best so far beyond chance."""
    failed: str = ""
    """Why it could not be measured."""

    @property
    def open(self) -> bool:
        """Return whether it may be measured yet."""
        return self.relative is None and not self.failed and not self.candidate.skipped


def next_entry(entries: Sequence[Entry], *, period_s: float, ideal_s: float, cores: float) -> Entry | None:
    """Return the entry to measure next; None when none promises a gain that is worth it.

    Args:
        entries: All, the present setting first.
        period_s: Of a step in the observed run, on which predictions rest.
        ideal_s: Of a step on batches that are there already; no setting gets below. 0: not known.
        cores: Of the machine; without any prediction as many workers are tried first.
    """
    view = View(entries, period_s, ideal_s)
    best = min(view.reached(entry) for entry in entries if entry.relative is not None)
    promising = [entry for entry in entries if entry.open and view.promise(entry) < best * (1 - WORTH)]
    if not promising:
        return None
    least = min(view.expected(entry) for entry in promising)
    alike = [entry for entry in promising if view.expected(entry) <= least * (1 + ALIKE) + 1e-12]
    alike.sort(key=lambda entry: _effort(entry.candidate, cores))
    return next((entry for entry in alike if _roomy(entry.candidate)), alike[0])


def _roomy(candidate: Candidate) -> bool:
    """Return whether workers have time to spare: what was observed may hold fewer slow batches than the rest."""
    return candidate.predicted_s is not None and candidate.rough_s <= ROOMY * candidate.predicted_s


def _effort(candidate: Candidate, cores: float) -> tuple[float, int]:
    known = candidate.predicted_s is not None or candidate.least_s > 0
    if known:
        return 0.0, candidate.workers
    return abs(candidate.workers - cores), -candidate.workers


class View:
    """What is to be expected of entries, from predictions and from those that were measured. All times relative."""

    def __init__(self, entries: Sequence[Entry], period_s: float, ideal_s: float) -> None:
        self.period_s, self.ideal = period_s, ideal_s / period_s
        self.measured = {
            entry.candidate.workers: (entry.candidate, entry.relative)
            for entry in entries
            if entry.relative is not None and entry.candidate.on_ladder
        }
        """By number of workers; of several with as many, the last."""
        self.believed = all(
            candidate.predicted_s is None or abs(relative / self._predicted(candidate) - 1) <= MISSED
            for candidate, relative in self.measured.values()
        )

    def reached(self, entry: Entry) -> float:
        """Return what a measured setting takes; no more than was predicted, so that noise is not run after."""
        candidate, relative = entry.candidate, entry.relative or 0.0
        believed = candidate.predicted_s is not None and self.believed
        return min(relative, self._predicted(candidate)) if believed else relative

    def expected(self, entry: Entry) -> float:
        """Return what a step is expected to take."""
        candidate = entry.candidate
        if candidate.predicted_s is not None and self.believed:
            return self._predicted(candidate)
        rough = candidate.rough_s or candidate.least_s
        return max(rough / self.period_s, self.ideal)

    def promise(self, entry: Entry) -> float:
        """Return the least that a step may take; infinity where more or fewer workers have been seen not to help."""
        candidate = entry.candidate
        if candidate.on_ladder and candidate.workers and self._beyond(candidate):
            return float("inf")
        bound = max(SLACK * candidate.least_s / self.period_s, self.ideal)
        if candidate.predicted_s is not None and self.believed:
            bound = max(bound, ERROR * self._predicted(candidate))
        return max(bound, self._parallel(candidate))

    def _predicted(self, candidate: Candidate) -> float:
        return max((candidate.predicted_s or 0.0) / self.period_s, self.ideal)

    def _parallel(self, candidate: Candidate) -> float:
        """Return the least for so many workers, since k times as many are at most k times as fast."""
        if not candidate.on_ladder or candidate.workers == 0:
            return 0.0
        parts = {workers: max(workers, 1) / candidate.workers for workers in self.measured}
        parts |= {0: 1 / (candidate.workers + 1)} if 0 in parts else {}  # making and computing, overlapped
        return max(
            (self.measured[workers][1] * part for workers, part in parts.items() if part < 1),
            default=0.0,
        )

    def _beyond(self, candidate: Candidate) -> bool:
        """Return whether measured neighbours rule a number of workers out: times fall, stay, and rise."""
        workers = sorted(number for number in self.measured if number)
        for fewer, more in pairwise(workers):
            falls = self.measured[more][1] < self.measured[fewer][1] * (1 - ALIKE)
            if (candidate.workers < fewer) if falls else (candidate.workers > more):
                return True
        return any(self._exhausted(self.measured[number], candidate) for number in workers)

    def _exhausted(self, known: tuple[Candidate, float], candidate: Candidate) -> bool:
        """Return whether a measured setting is as fast as it can be, and the candidate could not be faster either."""
        other, relative = known
        if other.least_s <= 0 or candidate.setting.prefetch != other.setting.prefetch:
            return False
        none = self.measured.get(0)
        lost = none is not None and relative > none[1]  # what workers cost is not the making of batches
        reached = relative <= REACHED * max(other.least_s / self.period_s, self.ideal)
        return (lost or reached) and candidate.least_s >= other.least_s * (1 - ALIKE)
