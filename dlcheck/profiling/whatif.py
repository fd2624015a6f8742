"""Other ways to compute, measured in turns with the present one on batches that are there already."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from dlcheck.errors import DlcheckError
from dlcheck.profiling.found import Found
from dlcheck.profiling.paired import Ratio
from dlcheck.profiling.settings import TrialSettings
from dlcheck.profiling.sweep_duel import Pairs, blocks_cost, confirm
from dlcheck.profiling.sweep_lane import Lane, Lanes, Start
from dlcheck.profiling.whatif_variation import Variation, ideal, together, variations
from dlcheck.recipe import Recipe
from dlcheck.runs.facts import ComputeTrial, ComputeTrials

BUDGET_S = 40.0
BLOCK_S = 0.4
"""Shorter than where loaders take part: steps on kept batches differ little."""
PARITY = 8
"""First steps, whose losses are compared; later ones drift apart whatever the cause."""
COMPILE_S = 40.0
"""Time that a compilation may take, and must be left."""


def whatif(
    start: Start,
    base: TrialSettings,
    found: Found,
    *,
    recipe: Recipe | None = None,
    cores: float = 1.0,
    period_s: float = 0.1,
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
    listener: Callable[[str], None] = lambda _: None,
) -> ComputeTrials:
    """Try precision, memory format, threads, a doubled batch and compilation, one by one, and what won together.

    All run on a few kept batches, so that loading cannot hide what they bring. Losses of the first steps are compared
    with those of the present computation. At most two children are alive at any time; all are ended, also on Ctrl-C.

    Args:
        start: Starts a child; an error of it leaves that trial out.
        base: The training as the user has it.
        found: What was found out about it.
        recipe: Of the training, if it is one.
        cores: That it may use.
        period_s: Of a step, roughly.
        budget_s: Seconds for all of it.
        clock: Seconds that pass.
        pause: Lets so many pass.
        listener: Is told what is under way.

    Raises:
        DlcheckError: the present computation itself does not run on kept batches.
    """
    code = base.subject.kind in ("recipe", "factory")
    tried = variations(found, recipe, cores=cores, code=code)
    with Lanes(start, clock, pause) as lanes:
        present = Lane(ideal(base), workers=0, prefetch=0, cost_s=period_s)
        trials = _Trials(lanes, present, clock, clock() + budget_s, listener)
        made: list[ComputeTrial] = []
        for variation in tried:
            made.append(trials.run(variation, beside=made))
        winners = _winners(tried, made)
        if len(winners) > 1:
            made.append(trials.run(together(winners), beside=()))
    return ComputeTrials(device=found.device, trials=tuple(made))


def _winners(tried: Sequence[Variation], made: Sequence[ComputeTrial]) -> list[Variation]:
    """Return the variations that are faster beyond chance at the same loss, the best one of each key."""
    best: dict[str, tuple[float, Variation]] = {}
    for variation, trial in zip(tried, made, strict=True):
        if sound(trial) and trial.ratio is not None and trial.ratio > best.get(trial.path, (0.0,))[0]:
            best[trial.path] = (trial.ratio, variation)
    return [variation for _, variation in best.values()]


def sound(trial: ComputeTrial) -> bool:
    """Return whether a trial is faster beyond chance, and trains as before."""
    return trial.path != "" and trial.low is not None and trial.low > 1 and trial.same_loss is True


@dataclass(slots=True)
class _Trials:
    """Runs variations against the present computation, one after the other."""

    lanes: Lanes
    present: Lane
    clock: Callable[[], float]
    deadline: float
    listener: Callable[[str], None]
    losses: tuple[float, ...] = ()
    """Of the first steps of the present computation."""
    first_s: float = 0.0
    """From the start of its child to the end of these steps."""

    def run(self, variation: Variation, *, beside: Sequence[ComputeTrial]) -> ComputeTrial:
        """Measure one variation; what goes wrong in it stands in its note."""
        made = ComputeTrial(variation.name, variation.path, variation.value, note=variation.note)
        if rival := next((trial.name for trial in beside if trial.path == made.path and sound(trial)), ""):
            return replace(made, note=f"{rival} is faster already")
        if not self._affordable(variation):
            return replace(made, note="the budget ended first")
        if not self.first_s:
            self.losses, self.first_s = self._begin(self.present)
        self.listener(f"trying {variation.name}")
        lane = Lane(
            variation.change(self.present.settings),
            workers=0,
            prefetch=0,
            cost_s=self.present.cost_s * variation.samples,
            samples=variation.samples,
        )
        try:
            losses, first_s = self._begin(lane)
            ratio = confirm(self.lanes, self.present, lane, pairs=Pairs(), left=self._left, block_s=BLOCK_S)
        except DlcheckError as error:
            if self.present.trial is None:
                raise
            return replace(made, note=str(error))
        finally:
            self.lanes.close(lane)
        return self._told(made, variation, ratio, losses=losses, extra_s=first_s - self.first_s)

    def _told(
        self, made: ComputeTrial, variation: Variation, ratio: Ratio, *, losses: tuple[float, ...], extra_s: float
    ) -> ComputeTrial:
        same = None if variation.tolerance is None else same_loss(self.losses, losses, variation.tolerance)
        return replace(
            made,
            ratio=ratio.value,
            low=ratio.low,
            high=ratio.high,
            same_loss=same,
            startup_s=max(extra_s, 0.0) if variation.startup else None,
        )

    def _begin(self, lane: Lane) -> tuple[tuple[float, ...], float]:
        """Start a child and make its first steps, which are not timed; return their losses and what all that took."""
        began = self.clock()
        self.lanes.open(lane, keep=self.present)
        losses = self.lanes.first(lane, PARITY)
        return losses, self.clock() - began

    def _left(self, seconds: float) -> bool:
        return self.clock() + seconds <= self.deadline

    def _affordable(self, variation: Variation) -> bool:
        starts = self.lanes.start_s * (1 if self.first_s else 2) + (COMPILE_S if variation.startup else 0.0)
        return self._left(starts + blocks_cost(self.lanes, self.present, self.present, BLOCK_S))


def same_loss(first: Sequence[float], second: Sequence[float], tolerance: float) -> bool | None:
    """Return whether two trainings lose alike over their first steps; None where the losses are not known.

    Their mean difference must be within the tolerance, relative to the first, or within two standard errors of 0:
    compilation and memory formats draw other units to drop.
    """
    count = min(len(first), len(second))
    if count < 2:
        return None
    first, second = first[:count], second[:count]
    if not all(map(math.isfinite, second)):
        return False if all(map(math.isfinite, first)) else None
    differences = [one - other for one, other in zip(second, first, strict=True)]
    scale = fmean(abs(loss) for loss in first)
    chance = 2 * stdev(differences) / math.sqrt(count)
    return abs(fmean(differences)) <= tolerance * scale + chance
