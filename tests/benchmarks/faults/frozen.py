"""Figures of the short version that a later change must not fall behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.faults.score import DoctorScore, Scores

FROZEN = Path(__file__).with_name("frozen.json")

SLACK = {"alarms": 1.0, "named": 2.0, "first": 2.0}
"""Trainings and plants more or less that are chance: another processor rounds otherwise.

The same code and releases named 27 of 48 plants by a primary finding on one machine, 29 on another.
"""

LEAST_COUNTED = 0.9
"""Share of the frozen trainings or plants that must still count: a benchmark of nothing has no faults."""

FIGURES = {"alarms": "false alarms", "named": "recall", "first": "top-1"}

BETTER_LOW = frozenset({"alarms"})


def freeze(scores: Scores, path: Path = FROZEN) -> None:
    """Write the figures of each way of dlcheck, for ``regressions`` to compare with."""
    frozen = {one.doctor: {figure: _counts(one, figure) for figure in FIGURES} for one in scores.doctors}
    path.write_text(json.dumps({"half": scores.half, "doctors": frozen}, indent=2) + "\n", encoding="utf-8")


def regressions(scores: Scores, path: Path = FROZEN) -> list[str]:
    """Return in words what became worse than the frozen figures; empty: nothing.

    Rates are compared, in units of the trainings or plants there are now: more false alarms above the frozen
    rate than ``SLACK``, or more plants below it, are a regression. So is a way that is not asked any more, and a
    count that fell below ``LEAST_COUNTED`` of the frozen one.

    Raises:
        FileNotFoundError: Nothing was frozen.
    """
    kept = json.loads(path.read_text(encoding="utf-8"))
    found = [] if kept["half"] == scores.half else [f"half {scores.half!r} was scored, but {kept['half']!r} is frozen"]
    now = {one.doctor: one for one in scores.doctors}
    for doctor, figures in kept["doctors"].items():
        if doctor in now:
            found += _worse(now[doctor], figures)
        else:
            found.append(f"{doctor}: was not asked")
    return found


def _counts(doctor: DoctorScore, figure: str) -> dict[str, int]:
    share: Share = getattr(doctor, figure)
    return {"count": share.count, "of": share.of}


def _worse(doctor: DoctorScore, figures: dict[str, Any]) -> Iterator[str]:
    for figure, words in FIGURES.items():
        before, now = Share(**figures[figure]), getattr(doctor, figure)
        if now.of < LEAST_COUNTED * before.of:
            yield f"{doctor.doctor}: {words} counted over {now.of}, frozen over {before.of}"
        elif now.of and before.of and _loss(figure, before, now) > SLACK[figure] + 1e-9:
            yield f"{doctor.doctor}: {words} {now.count}/{now.of}, frozen {before.count}/{before.of}"


def _loss(figure: str, before: Share, now: Share) -> float:
    more = now.count - before.rate * now.of
    return more if figure in BETTER_LOW else -more
