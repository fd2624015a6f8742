"""How often dlcheck and its peers are right, from the trainings of one half of the programs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.benchmarks.faults.cases import Cases, FaultFacts, Plant, serious, sort, sound
from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.faults.record import Told, Trained
from tests.benchmarks.faults.reliability import Reliability, Says, reliability

__all__ = ["OWN", "TOGETHER", "DoctorScore", "FaultFacts", "FaultScore", "PeerScore", "Scores", "score", "sound"]

TOGETHER = "live+check"
"""The findings of ``live`` and of ``check`` as one doctor's."""

OWN = ("log", "live", "check", TOGETHER)
"""The ways of dlcheck; all other doctors are peers."""


@dataclass(frozen=True, slots=True)
class PeerScore:
    """What can be said of any doctor, whose words may be its own."""

    doctor: str
    alarms: Share
    """Sound healthy trainings with a finding of warning or worse."""
    harmless: Share
    """The same of sound trainings with a fault that does not hurt and is not exact."""
    codes: dict[str, int]
    """By code: sound healthy trainings on which it was told, most first."""
    alarmed: Share
    """Plants that hurt, with any finding of warning or worse, right or not."""


@dataclass(frozen=True, slots=True)
class DoctorScore(PeerScore):
    """A way of dlcheck. Shares are of all plants that count and can be seen in this way, the missed ones too."""

    named: Share
    """Recall: a finding of warning or worse names the fault."""
    listed: Share
    """A finding of any severity names it."""
    first: Share
    """Top-1: a primary finding of warning or worse names it."""
    strict: Share
    """And no other primary one of warning or worse names something else."""
    located: Share
    """Of the plants with a layer whose leading right finding names one: it is that layer."""
    steps: tuple[float, float, float] | None
    """Lower quartile, median and upper quartile of steps until it was named; None: not measured."""
    reliability: Reliability
    primary: Reliability
    """Of primary findings alone: the others stand or fall with the one that explains them."""


@dataclass(frozen=True, slots=True)
class FaultScore:
    """One fault over all its plants."""

    name: str
    exact: bool
    hurts: Share
    """Of all plants; the undecided ones are not among those that hurt."""
    harmless: int
    """Plants that count as healthy trainings."""
    unsound: int
    undecided: int
    named: dict[str, Share]
    """Recall by way of dlcheck."""
    first: Share
    """Top-1 of live and check together."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The whole result for one half of the programs."""

    half: str
    trainings: int
    healthy: int
    """Sound healthy trainings."""
    dropped: int
    """Trainings meant to be healthy that did not go well: left out."""
    plants: int
    """Those that count."""
    hurting: int
    harmless: int
    """Plants that count as healthy trainings."""
    unsound: int
    """Plants that do not count, but did not go well either: left out."""
    undecided: int
    """Plants with too few seeds: left out."""
    seconds: float
    """Mean of a training."""
    doctors: tuple[DoctorScore, ...]
    peers: tuple[PeerScore, ...]
    faults: tuple[FaultScore, ...]

    def doctor(self, name: str) -> DoctorScore:
        """Return a way's scores; KeyError if it was not asked."""
        return {one.doctor: one for one in self.doctors}[name]


COUNTED = ("healthy", "dropped", "plants", "harmless", "unsound", "undecided")


def score(runs: Sequence[Trained], catalogue: Iterable[FaultFacts]) -> Scores:
    """Score all doctors that were asked.

    Args:
        runs: Trainings, all of one half; ``half`` of the result names both where they are mixed.
        catalogue: Facts of every fault among them.

    Raises:
        ValueError: A training's fault is not in the catalogue.
    """
    cases = sort(runs, catalogue)
    asked = sorted({doctor for run in runs for doctor in run.doctors})
    own = [doctor for doctor in OWN if doctor in asked or (doctor == TOGETHER and {"live", "check"} & set(asked))]
    counts: dict[str, Any] = {name: len(getattr(cases, name)) for name in COUNTED}
    return Scores(
        half=cases.half,
        trainings=len(runs),
        hurting=sum(plant.kill.hurts for plant in cases.plants),
        seconds=cases.seconds,
        doctors=tuple(_doctor(cases, doctor) for doctor in own),
        peers=tuple(PeerScore(**_common(cases, doctor)) for doctor in asked if doctor not in OWN),
        faults=_faults(cases, own),
        **counts,
    )


def said(run: Trained, doctor: str) -> list[Told] | None:
    """Return what a doctor told of a training; None: it was not asked."""
    if doctor != TOGETHER:
        return run.doctors.get(doctor)
    both = [run.doctors[way] for way in ("live", "check") if way in run.doctors]
    return [one for told in both for one in told] if both else None


def _says(doctor: str) -> Says:
    return lambda run: said(run, doctor)


def _leads(doctor: str) -> Says:
    def says(run: Trained) -> list[Told] | None:
        told = said(run, doctor)
        return None if told is None else [one for one in told if one.primary]

    return says


def _common(cases: Cases, doctor: str) -> dict[str, Any]:
    healthy = [told for run in cases.healthy if (told := said(run, doctor)) is not None]
    harmless = [told for plant in cases.harmless if (told := said(plant.run, doctor)) is not None]
    hurt = [told for plant in cases.plants if plant.kill.hurts and (told := said(plant.run, doctor)) is not None]
    codes = Counter(code for told in healthy for code in sorted({one.code for one in serious(told)}))
    return {
        "doctor": doctor,
        "alarms": Share.among(bool(serious(told)) for told in healthy),
        "harmless": Share.among(bool(serious(told)) for told in harmless),
        "codes": dict(codes.most_common()),
        "alarmed": Share.among(bool(serious(told)) for told in hurt),
    }


def _doctor(cases: Cases, doctor: str) -> DoctorScore:
    seen = _seen(cases.plants, doctor)
    return DoctorScore(
        **_common(cases, doctor),
        named=Share.among(_named(plant, told) for plant, told in seen),
        listed=Share.among(any(plant.right(one) for one in told) for plant, told in seen),
        first=Share.among(_first(plant, told) for plant, told in seen),
        strict=Share.among(_strict(plant, told) for plant, told in seen),
        located=Share.among(found for plant, told in seen if (found := _located(plant, told)) is not None),
        steps=_steps(seen),
        reliability=reliability(cases, _says(doctor)),
        primary=reliability(cases, _leads(doctor)),
    )


def _seen(plants: Iterable[Plant], doctor: str) -> list[tuple[Plant, list[Told]]]:
    ways = set(doctor.split("+"))
    able = [plant for plant in plants if ways & plant.facts.seen]
    return [(plant, told) for plant in able if (told := said(plant.run, doctor)) is not None]


def _right(plant: Plant, told: Iterable[Told]) -> list[Told]:
    return [one for one in serious(told) if plant.right(one)]


def _named(plant: Plant, told: Iterable[Told]) -> bool:
    return bool(_right(plant, told))


def _first(plant: Plant, told: Iterable[Told]) -> bool:
    return any(one.primary for one in _right(plant, told))


def _strict(plant: Plant, told: Iterable[Told]) -> bool:
    primary = [one for one in serious(told) if one.primary]
    return bool(primary) and all(plant.right(one) for one in primary)


def _located(plant: Plant, told: Iterable[Told]) -> bool | None:
    # Only the leading finding is asked: one that names every layer in turn would else always be right.
    found = sorted(_right(plant, told), key=lambda one: (not one.primary, -one.confidence))
    layer = next((one.layer for one in found if one.layer), None)
    if not plant.run.layer or layer is None:
        return None
    return layer == plant.run.layer or layer.startswith(f"{plant.run.layer}.")


def _steps(seen: Iterable[tuple[Plant, list[Told]]]) -> tuple[float, float, float] | None:
    firsts = [min((one.step for one in _right(*pair) if one.step is not None), default=math.nan) for pair in seen]
    known = [step for step in firsts if not math.isnan(step)]
    if not known:
        return None
    low, middle, high = (float(value) for value in np.quantile(known, (0.25, 0.5, 0.75)))
    return low, middle, high


def _faults(cases: Cases, own: Sequence[str]) -> tuple[FaultScore, ...]:
    every = [*cases.plants, *cases.harmless, *cases.undecided, *cases.unsound]
    names = sorted({plant.facts.name for plant in every})
    return tuple(_fault(name, [plant for plant in every if plant.facts.name == name], cases, own) for name in names)


def _fault(name: str, plants: Sequence[Plant], cases: Cases, own: Sequence[str]) -> FaultScore:
    counting = [plant for plant in plants if plant.counts]
    return FaultScore(
        name=name,
        exact=plants[0].facts.exact,
        hurts=Share.among(plant.kill.hurts for plant in plants),
        harmless=sum(plant.facts.name == name for plant in cases.harmless),
        unsound=sum(plant.facts.name == name for plant in cases.unsound),
        undecided=sum(plant.facts.name == name for plant in cases.undecided),
        named={doctor: Share.among(_named(*pair) for pair in _seen(counting, doctor)) for doctor in own},
        first=Share.among(_first(*pair) for pair in _seen(counting, TOGETHER)),
    )
