"""What the sampler is told of a trial, by how it ended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dlcheck.tuning.sampling import IGNORE_PRUNED
from dlcheck.tuning.trials import Ending

if TYPE_CHECKING:
    from dlcheck.tuning.once import Trained
    from dlcheck.tuning.plan import Plan

PENALIZED = (Ending.nan, Ending.diverged, Ending.memory, Ending.limit)
"""Told as finished with the worst value so far: as a failure or as pruned, samplers would come back again and again."""
HOPELESS = (Ending.no_fit, Ending.dead)
"""Told as pruned, except to samplers that learn nothing from that."""
CAP = 2.0
"""A loss above this many times a constant answer's is told as that: how bad exactly would only hide the rest."""


def penalty(values: Iterable[float], *, minimize: bool, least: float | None = None) -> float | None:
    """Return the worst finite value so far, which tells every sampler to stay away; None before there is one.

    Neither a fixed large number, which spoils the scale that a Gaussian process sees, nor a failure, which all
    samplers of Optuna's ignore: with those two thirds to three quarters of 40 trials went into a region of NaN
    that starts beside the optimum.

    Args:
        values: What finished and pruned trials were told, by this objective.
        minimize: Whether small is good.
        least: An untrained network's value, where known: no death is better than that.
    """
    known = [value for value in values if math.isfinite(value)] + ([least] if least is not None else [])
    if not known:
        return None
    return max(known) if minimize else min(known)


def values_to_tell(plan: Plan, trained: Trained, before: Sequence[Sequence[float]]) -> tuple[float, ...] | None:
    """Return what the study is told of a finished training; None: that it was pruned.

    Args:
        plan: The study's.
        trained: How the training went.
        before: The values of trials told before.
    """
    if trained.ending is Ending.pruned:
        return None
    if trained.ending in HOPELESS and len(plan.metrics) == 1 and plan.sampler not in IGNORE_PRUNED:
        return None
    told: list[float] = []
    for index, metric in enumerate(plan.metrics):
        value = _own(plan, trained, metric)
        if value is None or (trained.ending in PENALIZED and metric not in trained.costs):
            known = [values[index] for values in before if len(values) > index]
            value = penalty(known, minimize=plan.minimize[index], least=_untrained(trained, metric))
        if value is None:
            return None
        told.append(value)
    return tuple(told)


def clipped(value: float, metric: str, trivial: float | None) -> float:
    """Return a metric as the study is told it."""
    if trivial is not None and trivial > 0 and metric.endswith("loss"):
        return min(value, CAP * trivial)
    return value


def _own(plan: Plan, trained: Trained, metric: str) -> float | None:
    value = {**trained.result, **trained.costs}.get(metric)
    if value is None or not math.isfinite(value):
        return None
    return clipped(value, metric, trained.trivial)


def _untrained(trained: Trained, metric: str) -> float | None:
    if metric.endswith("accuracy"):
        return 0.0
    return trained.trivial if metric.endswith("loss") else None
