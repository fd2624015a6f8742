"""When a study has had enough: of trials, of training, of time, or of one and the same death."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from dlcheck.tuning.plan import Plan
from dlcheck.tuning.trials import Ending, StudyView, TrialRow

SAME_ERRORS = 3
"""Exceptions of one type in succession after which the code is at fault and not its values (Keras Tuner's rule)."""
FIRST_DEAD = 5
"""First trials that die of one cause, after which tuning is not what the recipe needs."""
DEATHS = (Ending.nan, Ending.diverged, Ending.no_fit, Ending.dead, Ending.memory)


@dataclass(frozen=True, slots=True)
class Enough:
    """Why no further trial begins."""

    why: str
    failed: bool = False
    """The study cannot go on: ``why`` is for the user to act on."""


def enough(plan: Plan, view: StudyView) -> Enough | None:
    """Return why no further trial may begin, None when one may."""
    rows = [row for row in view.trials if row.counts]
    return _broken(plan, rows) or _spent(plan, rows)


def _spent(plan: Plan, rows: Sequence[TrialRow]) -> Enough | None:
    if plan.trials is not None and len(rows) >= plan.trials:
        return Enough(f"{plan.trials} trials")
    epochs = sum(row.epochs for row in rows)
    if plan.budget_epochs is not None and epochs >= plan.budget_epochs:
        return Enough(f"{epochs} epochs of {plan.budget_epochs}")
    if plan.budget_s is not None and sum(row.seconds for row in rows) >= plan.budget_s:
        return Enough(f"{plan.budget_s:.0f} s of training")
    if plan.deadline is not None and time.monotonic() >= plan.deadline:
        return Enough("the time is over")
    return None


def _broken(plan: Plan, rows: Sequence[TrialRow]) -> Enough | None:
    finished = [row for row in rows if row.ending is not None]
    return same_error(plan, finished) or same_death(finished)


def same_error(plan: Plan, finished: Sequence[TrialRow]) -> Enough | None:
    """Return why to stop when the last trials raised exceptions of one type."""
    last = finished[-SAME_ERRORS:]
    kinds = {row.error_type for row in last if row.ending is Ending.error}
    if len(last) < SAME_ERRORS or len(kinds) != 1 or any(row.ending is not Ending.error for row in last):
        return None
    file = plan.folder / last[-1].folder / "traceback.txt"
    return Enough(
        f"{SAME_ERRORS} trials in succession raised {kinds.pop()}: {last[-1].reason} (see {file})", failed=True
    )


def same_death(finished: Sequence[TrialRow]) -> Enough | None:
    """Return why to stop when the first trials, the recipe itself among them, all died of one cause."""
    first = finished[:FIRST_DEAD]
    if len(first) < FIRST_DEAD or len({row.ending for row in first}) != 1 or first[0].ending not in DEATHS:
        return None
    told = first[0].diagnosis or first[0].reason
    return Enough(
        f"the first {FIRST_DEAD} trials, your recipe among them, all ended as {first[0].ending}: {told}; "
        "a search does not cure that: see dlcheck check and dlcheck diagnose",
        failed=True,
    )
