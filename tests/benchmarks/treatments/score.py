"""From what came of the cases to the figures: shares with their intervals, and median costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.treatments.record import NEAR, Outcome, Row

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Cures:
    """What one doctor reached on the faults that hurt."""

    doctor: str
    near: Share
    """Ends within ``NEAR`` points of the healthy twin, on fresh seeds."""
    improved: Share
    """AutoTrainer's definition: any improvement over the recipe as it was, on fresh seeds."""
    false: Share
    """Of the recipes that it changed: those that are no better for it on fresh seeds."""
    gain: float
    """Mean points gained, of all cases."""
    cost: float
    """Median, in trainings."""
    costs: dict[str, float]
    """Mean trainings by use, where the doctor tells."""
    errors: int


@dataclass(frozen=True, slots=True)
class FaultLine:
    """What became of one kind of fault."""

    name: str
    planted: int
    hurts: int
    near: dict[str, int]
    """By doctor."""
    cost: float
    """Median of dlcheck's."""
    endings: str


@dataclass(frozen=True, slots=True)
class Scores:
    """All figures of a half."""

    cures: tuple[Cures, ...]
    changed: Share
    """Healthy recipes that were changed."""
    changed_worse: int
    """Of those, how many are worse for it on fresh seeds."""
    healthy_cost: float
    planted: int
    hurts: int
    left_out: dict[str, int]
    """Cases that do not count, by the reason."""
    faults: tuple[FaultLine, ...]
    seconds: float
    """Mean of a case."""


def near(row: Row, outcome: Outcome) -> bool:
    """Return whether a treated recipe is as good as its healthy twin."""
    return row.twin - outcome.points <= NEAR + ROUNDING


def improved(row: Row, outcome: Outcome) -> bool:
    """Return whether a treated recipe is any better than it was."""
    return outcome.changed and outcome.points > row.before + ROUNDING


def score(rows: Sequence[Row], doctors: Iterable[str]) -> Scores:
    """Return the figures of some cases."""
    sick = [row for row in rows if row.faulty]
    hurt = [row for row in sick if row.counts]
    sound = [(row, row.doctors["treat"]) for row in rows if not row.faulty and row.counts and "treat" in row.doctors]
    left: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if not row.counts:
            left[_reason(row.why)] += 1
    changed = [(row, one) for row, one in sound if one.changed]
    return Scores(
        tuple(_cures(hurt, doctor) for doctor in doctors if any(doctor in row.doctors for row in hurt)),
        Share(len(changed), len(sound)),
        sum(one.points < row.before - ROUNDING for row, one in changed),
        median([one.cost for _, one in sound]) if sound else 0.0,
        len(sick),
        len(hurt),
        dict(left),
        tuple(_line(name, [row for row in sick if row.variant == name]) for name in sorted({r.variant for r in sick})),
        fmean([row.seconds for row in rows]) if rows else 0.0,
    )


def _cures(hurt: Sequence[Row], doctor: str) -> Cures:
    pairs = [(row, row.doctors[doctor]) for row in hurt if doctor in row.doctors]
    changed = [(row, one) for row, one in pairs if one.changed]
    uses: defaultdict[str, float] = defaultdict(float)
    for _, one in pairs:
        for use, cost in one.costs.items():
            uses[use] += cost / len(pairs)
    return Cures(
        doctor,
        Share.among(near(row, one) for row, one in pairs),
        Share.among(improved(row, one) for row, one in pairs),
        Share.among(not improved(row, one) for row, one in changed),
        fmean(one.points - row.before for row, one in pairs),
        median(one.cost for _, one in pairs),
        dict(uses),
        sum(bool(one.error) for _, one in pairs),
    )


def _line(name: str, rows: Sequence[Row]) -> FaultLine:
    hurt = [row for row in rows if row.counts]
    doctors = sorted({doctor for row in hurt for doctor in row.doctors})
    treated = [row.doctors["treat"] for row in hurt if "treat" in row.doctors]
    return FaultLine(
        name,
        len(rows),
        len(hurt),
        {one: sum(near(row, row.doctors[one]) for row in hurt if one in row.doctors) for one in doctors},
        median([one.cost for one in treated]) if treated else 0.0,
        ", ".join(one.ending or "error" for one in treated),
    )


def _reason(why: str) -> str:
    """Return the kind of a reason for which a case was left out."""
    kinds = {"its program": "a program below its bar", "refused": "refused before it trains"}
    return next((told for start, told in kinds.items() if why.startswith(start)), why)
