"""How often each tool is right, from the rows of the benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.stalls.case import INCONCLUSIVE, Case
from tests.benchmarks.stalls.verdict import FAILED, Row, Verdict

LEAST_SHARE = 0.2
"""Of a step that a stall must take, by measurement, to count."""
HARMFUL = "P512"
"""The finding that names planted workers, whatever the training is bound by."""


@dataclass(frozen=True, slots=True)
class ToolScore:
    """A tool on planted stalls."""

    tool: str
    coarse: Share
    """Right classes, of all cases that count."""
    cause: Share
    """Right root causes, of the cases that have one."""
    inconclusive: int
    failed: int
    """Cases on which it did not end well; they count as not right."""
    wrong: tuple[str, ...]
    """Names of the cases with another class, sure of it."""
    seconds: float
    """Median; nan: nothing."""
    kinds: Mapping[str, tuple[Share, Share]]
    """Classes and causes by kind."""


@dataclass(frozen=True, slots=True)
class HealthyScore:
    """A tool on healthy pipelines."""

    tool: str
    blamed: Share
    """With a finding of warning or worse."""
    other: Share
    """With a class that names a bottleneck, in whatever tone."""
    failed: int
    names: tuple[str, ...]
    """The blamed ones."""


@dataclass(frozen=True, slots=True)
class ContentionScore:
    """A tool on a busy machine, stalls and healthy pipelines together."""

    tool: str
    right: Share
    inconclusive: Share
    wrong: Share
    """Sure of another class, or healthy and blamed."""
    failed: int
    names: tuple[str, ...]


def right_class(case: Case, said: Verdict) -> bool:
    """Return whether the class is right; a finding about harmful workers is one too where they were planted."""
    return said.coarse in case.coarse or _harmful(case, said)


def right_cause(case: Case, said: Verdict) -> bool:
    """Return whether the root cause is right, and the class with it."""
    return (said.cause in case.causes and said.coarse in case.coarse) or _harmful(case, said)


def _harmful(case: Case, said: Verdict) -> bool:
    return case.kind == "workers" and HARMFUL in said.figures.get("codes", ())


def counting(cases: Sequence[Case], truth: Mapping[str, float]) -> list[Case]:
    """Return the cases whose stall takes enough of a step: as measured, or else as designed."""
    return [case for case in cases if truth.get(case.name, case.share) >= LEAST_SHARE]


def stalls(tool: str, cases: Sequence[Case], rows: Mapping[str, Row]) -> ToolScore:
    """Score a tool on planted stalls; only cases that it was asked about count."""
    asked = [(case, said) for case in cases if (said := _said(rows, case, tool)) is not None]
    kinds = sorted({case.kind for case, _ in asked})
    classes, causes = _shares(asked)
    times = [said.seconds for _, said in asked if said.seconds]
    return ToolScore(
        tool,
        classes,
        causes,
        sum(said.coarse == INCONCLUSIVE for _, said in asked),
        sum(said.coarse == FAILED for _, said in asked),
        tuple(case.name for case, said in asked if _wrong(case, said)),
        median(times) if times else math.nan,
        {kind: _shares([pair for pair in asked if pair[0].kind == kind]) for kind in kinds},
    )


def healthy(tool: str, cases: Sequence[Case], rows: Mapping[str, Row]) -> HealthyScore:
    """Score a tool on healthy pipelines."""
    asked = [(case, said) for case in cases if (said := _said(rows, case, tool)) is not None]
    ended = [(case, said) for case, said in asked if said.coarse != FAILED]
    fine = ("compute", "none", INCONCLUSIVE)
    return HealthyScore(
        tool,
        Share.among(bool(said.blamed) for _, said in ended),
        Share.among(said.coarse not in fine for _, said in ended),
        len(asked) - len(ended),
        tuple(case.name for case, said in ended if said.blamed),
    )


def contention(tool: str, cases: Sequence[Case], rows: Mapping[str, Row]) -> ContentionScore:
    """Score a tool on cases that were run beside two burners."""
    asked = [(case, said) for case in cases if (said := _said(rows, case, tool)) is not None]
    ended = [(case, said) for case, said in asked if said.coarse != FAILED]
    wrong = [case.name for case, said in ended if _misled(case, said)]
    return ContentionScore(
        tool,
        Share.among(not _misled(case, said) and said.coarse != INCONCLUSIVE for case, said in ended),
        Share.among(said.coarse == INCONCLUSIVE for _, said in ended),
        Share(len(wrong), len(ended)),
        len(asked) - len(ended),
        tuple(wrong),
    )


def _misled(case: Case, said: Verdict) -> bool:
    if case.healthy:
        return bool(said.blamed)
    return _wrong(case, said)


def _wrong(case: Case, said: Verdict) -> bool:
    return not right_class(case, said) and said.coarse not in (INCONCLUSIVE, FAILED)


def _shares(asked: Sequence[tuple[Case, Verdict]]) -> tuple[Share, Share]:
    classes = Share.among(right_class(case, said) for case, said in asked)
    return classes, Share.among(right_cause(case, said) for case, said in asked if case.causes)


def _said(rows: Mapping[str, Row], case: Case, tool: str) -> Verdict | None:
    row = rows.get(f"{case.name} {tool}")
    return row.verdict if row is not None else None
