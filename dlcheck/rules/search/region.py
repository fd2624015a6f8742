"""Where in a space trials fail: the one cut of one parameter that tells failures from the rest best."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dlcheck.rules.search.rows import number_of, place, ranges, text_of
from dlcheck.runs.facts import SearchParameter, SearchStudy, SearchTrial
from dlcheck.runs.facts.search import INFEASIBLE

LEFT_OUT = ("lost", "stopped")
"""Endings that say nothing about the values of a trial."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of the space in which trials fail."""

    parameter: SearchParameter
    failed: int
    """Trials in the region that failed."""
    trials: int
    """Trials in the region."""
    outside: int
    """Trials that failed elsewhere, or without this parameter."""
    p: float
    """Chance of so many failures there if they fell anywhere, corrected for all cuts that were looked at."""
    choice: str | None = None
    """The choice that fails; None for ranges."""
    above: bool = False
    """Of ranges: the region lies above ``edge``, else below."""
    edge: float = 0.0
    """The first value that failed."""
    last_good: float = 0.0
    """The nearest value outside of the region."""


def judged(study: SearchStudy) -> list[SearchTrial]:
    """Return the trials whose ending says something about their values."""
    return [trial for trial in study.trials if trial.ending not in LEFT_OUT]


def failed(trial: SearchTrial) -> bool:
    """Return whether a trial's values cannot be used."""
    return trial.ending in INFEASIBLE


def failing_region(study: SearchStudy) -> Region | None:
    """Return the part of the space that tells failures from the rest best; None when nothing was cut.

    For every cut of every range, and for every choice, the hypergeometric chance of so many failures on that side is
    taken (Fisher's exact test, one-sided) times the number of cuts (Bonferroni).
    """
    trials = judged(study)
    cuts = [*_of_ranges(study, trials), *_of_choices(study, trials)]
    best = min(cuts, key=lambda cut: (cut.p, -cut.failed), default=None)
    if best is None:
        return None
    p = min(1.0, best.p * len(cuts))
    return Region(**{name: getattr(best, name) for name in Region.__slots__} | {"p": p})


def _of_ranges(study: SearchStudy, trials: Sequence[SearchTrial]) -> Iterator[Region]:
    for parameter in ranges(study):
        found = [(number_of(trial, parameter.name), failed(trial)) for trial in trials]
        # On the range's own scale, so that values that it cannot show (zero beside a logarithmic range) are left out.
        points = sorted((x, bad) for x, bad in found if x is not None and place(parameter, x) is not None)
        yield from _cuts(parameter, points, above=True, elsewhere=_bad(found) - _bad(points))
        yield from _cuts(parameter, points[::-1], above=False, elsewhere=_bad(found) - _bad(points))


def _bad(points: Sequence[tuple[float | None, bool]]) -> int:
    return sum(bad for _, bad in points)


def _cuts(
    parameter: SearchParameter, points: Sequence[tuple[float, bool]], *, above: bool, elsewhere: int
) -> Iterator[Region]:
    """Yield the region beyond each place between two different values; ``points`` are sorted towards the region."""
    count, bad = len(points), _bad(points)
    before = 0
    for index in range(1, count):
        before += points[index - 1][1]
        if points[index][0] == points[index - 1][0]:
            continue
        inside, total = bad - before, count - index
        yield Region(
            parameter=parameter,
            failed=inside,
            trials=total,
            outside=before + elsewhere,
            p=chance(inside, total, bad, count),
            above=above,
            edge=points[index][0],
            last_good=points[index - 1][0],
        )


def _of_choices(study: SearchStudy, trials: Sequence[SearchTrial]) -> Iterator[Region]:
    everything = sum(map(failed, trials))
    for parameter in study.parameters:
        made = [(text_of(trial, parameter.name), failed(trial)) for trial in trials]
        active = [(choice, bad) for choice, bad in made if choice is not None]
        bad = sum(one for _, one in active)
        for choice in {choice for choice, _ in active}:
            inside = [one for made_choice, one in active if made_choice == choice]
            if len(inside) < len(active):
                p = chance(sum(inside), len(inside), bad, len(active))
                yield Region(parameter, sum(inside), len(inside), everything - sum(inside), p, choice=choice)


def chance(hits: int, drawn: int, bad: int, count: int) -> float:
    """Return the chance of at least so many hits among ``drawn`` of ``count``, of which ``bad`` are hits."""
    ways = math.comb(count, drawn)
    most = min(drawn, bad)
    return sum(math.comb(bad, k) * math.comb(count - bad, drawn - k) for k in range(hits, most + 1)) / ways
