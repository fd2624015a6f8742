"""Other settings of the loader, measured on the real training: few, chosen by what is known, the best confirmed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

from dlcheck.errors import DlcheckError
from dlcheck.profiling.candidates import (
    Candidate,
    Known,
    candidates,
    prefetch_of,
    present_setting,
    variants,
)
from dlcheck.profiling.paired import Ratio
from dlcheck.profiling.settings import Trial, TrialSettings
from dlcheck.profiling.sweep_choice import Entry, next_entry
from dlcheck.profiling.sweep_duel import Pairs, blocks_cost, confirm, duel, round_cost
from dlcheck.profiling.sweep_lane import BLOCK_S, Lane, Lanes, Start
from dlcheck.profiling.sweep_told import Told
from dlcheck.rules.speed.settings import setting_words
from dlcheck.runs.facts import LoaderSetting, LoaderSweep

BUDGET_S = 90.0
ROUNDS = 3
"""Of a confirmation, for which time is kept."""


def sweep(
    start: Start,
    base: TrialSettings,
    known: Known,
    *,
    budget_s: float = BUDGET_S,
    present: Trial | None = None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
    listener: Callable[[str], None] = lambda _: None,
) -> LoaderSweep:
    """Look for a setting of the loader that is faster than the present one.

    Settings that cannot work here or promise nothing are left out; each of the others is measured in turns with the
    best so far, with few steps first and more where it is close. The winner is then measured against the present
    setting, and recommended only if the 95 % interval of its gain lies above 1. At most two children are alive at any
    time; all are ended, also on Ctrl-C.

    Args:
        start: Starts a child; an error of it leaves that setting out.
        base: The training as the user has it, whole.
        known: What the observed run told.
        budget_s: Seconds for all of it.
        present: A child that runs the present setting already; the sweep ends it.
        clock: Seconds that pass.
        pause: Lets so many pass.
        listener: Is told what is under way.
    """
    steps = known.found.steps_per_epoch
    epoch = steps * known.found.accumulate if steps else None
    with contextlib.ExitStack() as ending:
        if present is not None:
            ending.callback(present.close)
        lanes = ending.enter_context(Lanes(start, clock, pause, epoch=epoch))
        search = _Search(lanes, base, known, deadline=clock() + budget_s, clock=clock, listener=listener)
        if present is not None:
            lanes.adopt(search.lane(search.entries[0]), present)
        return search.run(budget_s)


class _Search:
    """The state of one sweep."""

    def __init__(
        self,
        lanes: Lanes,
        base: TrialSettings,
        known: Known,
        *,
        deadline: float,
        clock: Callable[[], float],
        listener: Callable[[str], None],
    ) -> None:
        self.lanes, self.base, self.known = lanes, base, known
        self.clock, self.deadline, self.listener = clock, deadline, listener
        self.entries = [Entry(_present(known), relative=1.0)]
        self.king = self.entries[0]
        self.order: list[Entry] = []
        """Those that were tried, in order."""
        self.cut_short = False
        self._lanes: dict[int, Lane] = {}

    def run(self, budget_s: float) -> LoaderSweep:
        """Search, confirm, and return what was found."""
        began = self.clock()
        self.entries += [Entry(candidate) for candidate in candidates(self.known, budget_s=budget_s)]
        present, gain, error = self.entries[0], None, ""
        try:
            only = self._search()
            if self.king is not present:
                gain = self._confirm(only)
        except DlcheckError as failure:  # of the present setting: nothing to compare with is left
            error = str(failure)
        best = self.king if gain is not None else present
        told = Told(self.known, self.entries, self.order, best, gain, self._lanes, self.cut_short)
        return told.fact(seconds=self.clock() - began, error=error)

    def lane(self, entry: Entry) -> Lane:
        """Return the lane of an entry."""
        made = self._lanes.get(id(entry))
        if made is None:
            setting = entry.candidate.setting if entry is not self.entries[0] else LoaderSetting()
            expected = entry.candidate.predicted_s or entry.candidate.least_s or self.known.period_s
            made = Lane(
                replace(self.base, loader=setting),
                workers=0 if setting.in_memory else entry.candidate.workers,
                prefetch=prefetch_of(self.known, setting),
                cost_s=self.known.period_s if entry is self.entries[0] else expected,
            )
            self._lanes[id(entry)] = made
        return made

    def _search(self) -> Pairs | None:
        """Try settings until none promises more; return the blocks of the only one that was tried, if it was one."""
        varied: set[int] = set()
        pairs: Pairs | None = None
        while True:
            entry = self._next()
            if entry is None and id(self.king) not in varied:
                varied.add(id(self.king))
                more = variants(self.known, self.king.candidate)
                self.entries += [Entry(candidate) for candidate in more if self._new(candidate)]
                continue
            if entry is None:
                break
            if not self._affordable(entry):
                self.cut_short = True
                break
            pairs = self._try(entry)
        return pairs if len(self.order) == 1 else None

    def _next(self) -> Entry | None:
        known = self.known
        return next_entry(
            self.entries,
            period_s=known.period_s,
            ideal_s=known.ideal_s or 0.0,
            cores=known.cores,
        )

    def _new(self, candidate: Candidate) -> bool:
        return all(entry.candidate.setting != candidate.setting for entry in self.entries)

    def _try(self, entry: Entry) -> Pairs | None:
        """Measure a setting against the best so far; one that fails is left out."""
        self.listener(f"trying {setting_words(entry.candidate.setting)}")
        self.order.append(entry)
        king, lane = self.lane(self.king), self.lane(entry)
        self.lanes.open(king)
        try:
            self.lanes.open(lane, keep=king)
            pairs = duel(self.lanes, king, lane, left=self._left)
        except DlcheckError as error:
            if lane.trial is not None and king.trial is None:
                self._dethrone(error)
                return None
            self.lanes.close(lane)
            entry.failed = str(error)
            return None
        ratio = pairs.ratio()
        assert self.king.relative is not None
        entry.relative, entry.slower = self.king.relative / ratio.value, ratio.slower
        if ratio.value > 1:
            self.king = entry
        return pairs

    def _dethrone(self, error: DlcheckError) -> None:
        """Take the present setting for the best again, as the best so far died."""
        if self.king is self.entries[0]:
            raise error
        self.king.failed, self.king.relative = str(error), None
        self.order.pop()
        self.king = min(
            (entry for entry in self.entries if entry.relative is not None), key=lambda entry: entry.relative or 1.0
        )

    def _confirm(self, only: Pairs | None) -> Ratio | None:
        """Return by how much the best is faster than the present setting; None if that is not sure."""
        self.listener(f"confirming {setting_words(self.king.candidate.setting)}")
        present, best = self.lane(self.entries[0]), self.lane(self.king)
        try:
            self.lanes.open(present, keep=best)
            gain = confirm(self.lanes, present, best, pairs=only or Pairs(), left=self._left)
        except DlcheckError as error:
            if present.trial is None:
                raise
            self.king.failed = str(error)
            return None
        self.king.relative, self.entries[0].slower = 1 / gain.value, gain.faster
        return gain if gain.faster else None

    def _left(self, seconds: float) -> bool:
        return self.clock() + seconds <= self.deadline

    def _affordable(self, entry: Entry) -> bool:
        """Return whether a setting can be tried, and confirmed afterwards, in the time that is left."""
        present, king, lane = self.lane(self.entries[0]), self.lane(self.king), self.lane(entry)
        again = king is not present
        rounds = ROUNDS if again else 1  # blocks of the only setting that is tried count for its confirmation too
        trying = round_cost(self.lanes, king, lane, 0.5 * BLOCK_S)
        confirming = again * self.lanes.start_s + rounds * blocks_cost(self.lanes, present, lane, BLOCK_S)
        return self._left(trying + confirming)


def _present(known: Known) -> Candidate:
    """Return the present setting as a candidate."""
    setting, workers = present_setting(known.found), known.found.workers
    if known.forecast is None or known.found.kind not in ("workers", "main"):
        return Candidate(setting, workers)
    told = known.forecast.step(workers)
    return Candidate(setting, workers, told.step_s, told.least_s)
