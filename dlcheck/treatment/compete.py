"""Where several remedies compete: short runs put them in order, the better half each time a little longer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from dlcheck.errors import DlcheckError, one_line
from dlcheck.treatment.candidates import Candidate
from dlcheck.treatment.trainings import Trainings

RUNGS = (0.25, 0.5)
"""Shares of a training after which the worse half of the remedies is left out (Jamieson & Talwalkar 2016)."""


@dataclass(slots=True)
class Entrant:
    """A remedy in the competition."""

    candidate: Candidate
    short: list[tuple[float, float]] = field(default_factory=list)
    """Share of a training, and the score there."""
    reason: str = ""
    """Why it cannot be trained."""


def in_order(rivals: Sequence[Candidate], trainings: Trainings, seed: int) -> list[Entrant]:
    """Return remedies with what their short runs reached, the best first; those that cannot be built last.

    Raises:
        Interrupted: by Ctrl-C.
    """
    entrants = [Entrant(candidate) for candidate in rivals]
    running = entrants
    for share in RUNGS:
        if len(running) < 2:
            break
        for entrant in running:
            _run(entrant, trainings, seed, share)
        running = _sorted(running, trainings)[: max(1, len(running) // 2)]
    winners = _sorted(running, trainings)
    return [*winners, *_sorted([one for one in entrants if one not in winners], trainings)]


def _run(entrant: Entrant, trainings: Trainings, seed: int, share: float) -> None:
    candidate = entrant.candidate
    if entrant.reason or not trainings.purse.allows(trainings.cost(candidate.loaded, share)):
        return
    try:
        made = trainings.short(candidate.loaded, seed, share=share, label=f"short run: {candidate.remedy.text}")
    except DlcheckError as error:
        entrant.reason = one_line(error)
        return
    entrant.short.append((share, made.score))


def _sorted(entrants: Sequence[Entrant], trainings: Trainings) -> list[Entrant]:
    sign = -1.0 if trainings.score.greater_is_better else 1.0

    def place(entrant: Entrant) -> tuple[bool, float, float]:
        if not entrant.short:
            return (bool(entrant.reason), 0.0, math.inf)
        share, score = entrant.short[-1]
        return (bool(entrant.reason), -share, sign * score if math.isfinite(score) else math.inf)

    return sorted(entrants, key=place)
