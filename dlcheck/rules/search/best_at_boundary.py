"""S601."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.search.rows import (
    WHOLE,
    number_of,
    place,
    range_patch,
    ranges,
    ranked,
    reached,
    rounded,
    told,
    usable,
    value_at,
)
from dlcheck.rules.statistics import trend
from dlcheck.runs import Run
from dlcheck.runs.facts import SearchParameter, SearchStudy, SearchTrial

BEYOND = 0.35
"""How much of the range, on its own scale, is added."""


@dataclass(frozen=True, slots=True)
class _Edge:
    parameter: SearchParameter
    upper: bool
    value: float
    """Of the best trial."""
    share: float
    """Distance of that from the end, as a share of the range."""
    near: int
    """Next best trials in the same quarter of the range."""
    of: int
    p: float
    """That values do not improve towards the end."""


@rule(
    "S601",
    "best-at-boundary",
    Severity.WARNING,
    needs=("search_study",),
    thresholds={
        "least_trials": Threshold(8, "fewer leave no next best five beside the best and something to compare with"),
        "edge": Threshold(0.05, "Godbole et al. 2023: the best point near the boundary; a twentieth of the range"),
        "quarter": Threshold(0.25, "a quarter of the range, where chance puts one in four of the next best"),
        "next": Threshold(5, "as many of the next best trials are looked at"),
        "near": Threshold(3, "three of five in one quarter happen by chance once in ten times"),
        "share": Threshold(0.1, "without it one of 7 parameters without influence was warned of in 3 of 20 searches"),
        "level": Threshold(0.05, "one-sided level of the trend towards the end, the usual one"),
    },
    references=("Godbole et al. 2023, Deep Learning Tuning Playbook (bad search space boundaries)",),
)
def best_at_boundary(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a range that ends where the best values lie.

    What it finds:
        A parameter whose best value lies at an end of its range, with most of the next best values beside
        it. A warning where, besides, trials get better and better towards that end and the parameter matters;
        else information.
    Why it matters:
        What is best may lie beyond; nothing there was tried.
    What to do:
        Widen the range on that side, and search again.
    Limits:
        Choices have no ends, and nothing lies below a range that begins at 0. A parameter without influence
        comes to lie at an end by chance: then the trend is missing.
    Thresholds:
        least_trials: Fewer finished trials are not judged.
        edge: Largest distance of the best value from the end, as a share of the range on its scale.
        quarter: The same for the next best values.
        next: How many of the next best trials are looked at.
        near: How many of them must lie there.
        share: Importance below which, where it was computed, it is information only.
        level: One-sided significance level of the trend over the trials in that half of the range.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook.
    """
    study = measured(run, SearchStudy)
    if len(usable(study)) < limits["least_trials"]:
        raise Unchecked(f"trials that finished: {len(usable(study))}; {limits['least_trials']:g} are needed")
    best = _best(study)
    if best is None:
        return
    for parameter in ranges(study):
        edge = _edge(study, best, parameter, limits)
        if edge is not None:
            yield _judge(study, edge, sure=edge.p < limits["level"] and _matters(study, parameter, limits))


def _best(study: SearchStudy) -> SearchTrial | None:
    """Return the trial that was chosen; where that is the recipe, whose values the range need not hold, None."""
    chosen = next((trial for trial in usable(study) if trial.number == study.chosen), None) or ranked(study)[0]
    return None if chosen.baseline else chosen


def _edge(study: SearchStudy, best: SearchTrial, parameter: SearchParameter, limits: Limits) -> _Edge | None:
    value = number_of(best, parameter.name)
    at = place(parameter, value)
    if at is None or value is None:
        return None
    upper = at > 0.5
    inwards = 1 - at if upper else at
    if inwards > limits["edge"] or _nothing_beyond(parameter, upper):
        return None
    others = [trial for trial in ranked(study) if trial.number != best.number]
    next_best = [_distance(parameter, trial, upper) for trial in others[: int(limits["next"])]]
    near = sum(one is not None and one <= limits["quarter"] for one in next_best)
    if near < limits["near"]:
        return None
    return _Edge(parameter, upper, value, inwards, near, len(next_best), _p_better(study, others, parameter, upper))


def _matters(study: SearchStudy, parameter: SearchParameter, limits: Limits) -> bool:
    """Return whether the parameter explains enough, where that was computed.

    An adaptive sampler moves towards good values of those that matter, and carries the others along to some place.
    """
    known = [item.value for item in study.importances if item.name == parameter.name]
    return not known or known[0] >= limits["share"]


def _nothing_beyond(parameter: SearchParameter, upper: bool) -> bool:
    if upper:
        return False
    return parameter.or_zero or parameter.low == 0 or (parameter.kind in WHOLE and parameter.low == 1)


def _distance(parameter: SearchParameter, trial: SearchTrial, upper: bool) -> float | None:
    at = place(parameter, number_of(trial, parameter.name))
    return None if at is None else 1 - at if upper else at


def _p_better(study: SearchStudy, others: Sequence[SearchTrial], parameter: SearchParameter, upper: bool) -> float:
    """Return the p-value against trials of the outer half not getting better towards the end; without the best."""
    found = [(_distance(parameter, trial, upper), reached(study, trial)) for trial in others]
    half = sorted((one, value) for one, value in found if one is not None and one <= 0.5)
    if not half:
        return 1.0
    distances, values = np.array(half).T
    return trend(distances, values).p_rising


def _judge(study: SearchStudy, edge: _Edge, *, sure: bool) -> Finding:
    parameter, side = edge.parameter, "upper" if edge.upper else "lower"
    low, high = parameter.low or 0.0, parameter.high or 0.0
    wider = _widened(parameter, edge.upper)
    where = f"of its range {told(low)} to {told(high)}"
    better = ", and trials get better towards it" if sure else ""
    return best_at_boundary.finding(
        f"the best {parameter.path} ({told(edge.value)}) lies at the {side} end {where}, with {edge.near} of the "
        f"{edge.of} next best in that quarter{better}",
        severity=Severity.WARNING if sure else Severity.INFO,
        confidence=0.8 if sure else 0.55,
        evidence={
            "parameter": parameter.name,
            "best": edge.value,
            "low": low,
            "high": high,
            "distance": edge.share,
            "near": edge.near,
            "p": edge.p,
        },
        where=Where(metric=study.metric),
        cause="a range that ends before the optimum" if sure else "a range that ends early, or chance",
        remedies=_remedies(study, parameter, wider, side),
    )


def _remedies(
    study: SearchStudy, parameter: SearchParameter, wider: tuple[float, float] | None, side: str
) -> tuple[Remedy, ...]:
    if wider is None:
        return (Remedy(f"widen the range of {parameter.path} at its {side} end, and search again"),)
    text = f"search {parameter.path} from {told(wider[0])} to {told(wider[1])}, in a study of its own"
    return (Remedy(text, range_patch(parameter, wider, study)),)


def _widened(parameter: SearchParameter, upper: bool) -> tuple[float, float] | None:
    end = value_at(parameter, 1 + BEYOND if upper else -BEYOND)
    if end is None or parameter.low is None or parameter.high is None:
        return None
    if parameter.kind == "pow2":
        end = parameter.high * 4 if upper else max(1.0, parameter.low / 4)
    elif parameter.kind == "int":
        end = round(max(1.0, end))
    elif parameter.kind == "near_one":
        end = 1 - rounded(1 - end, 1)
    else:
        end = rounded(end, 1 if parameter.log or parameter.kind == "log" else 2)
        end = max(end, 0.0) if parameter.low >= 0 else end
    return (parameter.low, end) if upper else (end, parameter.high)
