"""Which sampler and which pruner: chosen by measurements, with the reason in words."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcheck.errors import DlcheckError
from dlcheck.tuning.space import conditional, grid
from dlcheck.tuning.trials import SpaceEntry

if TYPE_CHECKING:
    import optuna

REDUCTION = 3
"""Of successive halving: a third goes on at each rung."""
LONG, SHORT = 9, 3
"""Epochs from which successive halving has rungs enough, and from which the median has two epochs of warm-up."""
IGNORE_PRUNED = ("gp", "cmaes")
"""Samplers that learn from finished trials only."""
MOST_REPORTS = 50
"""Of one trial: each costs a write."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """Sampler and pruner of a study, and why."""

    sampler: str
    pruner: str
    why: str


def choose(sampler: str, pruner: str, *, space: Mapping[str, SpaceEntry], epochs: int, objectives: int = 1) -> Strategy:
    """Choose what is ``auto``.

    Args:
        sampler: As the user said.
        pruner: As the user said.
        space: What is searched.
        epochs: Of a whole trial.
        objectives: How many there are.

    Raises:
        DlcheckError: a pair that cannot work together.
    """
    if sampler == "grid" and conditional(space):
        raise DlcheckError("--sampler grid: a grid has no conditions; take another sampler, or leave out every when")
    if objectives > 1:
        return _many(sampler, pruner)
    if pruner == "auto":
        pruner, why = _pruner(sampler, epochs)
    else:
        why = f"pruner {pruner}: as asked"
    if sampler in IGNORE_PRUNED and pruner != "none":
        raise DlcheckError(
            f"--sampler {sampler} with --pruner {pruner}: {sampler} learns from finished trials only, and with a "
            "pruner falls back to random search; take --pruner none, or --sampler tpe"
        )
    if sampler != "auto":
        return Strategy(sampler, pruner, f"sampler {sampler}: as asked; {why}")
    told = (
        "sampler tpe: it learns from pruned trials too, costs milliseconds, and with successive halving was better "
        "after a quarter of the training than random search after all of it"
    )
    if pruner == "none":
        told = "sampler tpe: it costs milliseconds a trial (gp finds as much where a trial takes 5 s or longer)"
    return Strategy("tpe", pruner, f"{told}; {why}")


def _many(sampler: str, pruner: str) -> Strategy:
    if pruner not in ("auto", "none"):
        raise DlcheckError(f"--pruner {pruner}: with several metrics no trial is worse than another before its end")
    if sampler == "auto":
        return Strategy("tpe", "none", "sampler tpe: it takes several metrics; no pruner: several metrics")
    return Strategy(sampler, "none", f"sampler {sampler}: as asked; no pruner: several metrics")


def _pruner(sampler: str, epochs: int) -> tuple[str, str]:
    if sampler in IGNORE_PRUNED:
        return "none", f"no pruner: {sampler} learns from finished trials only"
    if epochs >= LONG:
        return "asha", f"pruner asha: {epochs} epochs give it {_rungs(epochs)} rungs"
    if epochs >= SHORT:
        return "median", f"pruner median: {epochs} epochs are too few for the rungs of successive halving"
    return "none", f"no pruner: {epochs} epochs leave nothing to cut short"


def _rungs(epochs: int) -> int:
    return int(math.log(epochs / first_rung(epochs), REDUCTION) + 1e-9)


def first_rung(epochs: int) -> int:
    """Return the epoch of the first decision: a ninth of a whole training."""
    return max(1, epochs // LONG)


def make_sampler(name: str, space: Mapping[str, SpaceEntry], *, seed: int, trials: int) -> optuna.samplers.BaseSampler:
    """Return Optuna's sampler.

    Args:
        name: ``tpe``, ``gp``, ``cmaes``, ``qmc``, ``random`` or ``grid``.
        space: What is searched; a conditional one makes TPE treat its branches apart.
        seed: Of this sampler.
        trials: Of the study; a grid has at most so many points.
    """
    import warnings

    from optuna import samplers
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        match name:
            case "gp":
                return samplers.GPSampler(seed=seed, warn_independent_sampling=False)
            case "cmaes":
                _need_cmaes()
                from dlcheck.tuning.evolution import Evolution

                return Evolution(seed=seed, warn_independent_sampling=False)
            case "qmc":
                return samplers.QMCSampler(
                    seed=seed, scramble=True, warn_asynchronous_seeding=False, warn_independent_sampling=False
                )
            case "random":
                return samplers.RandomSampler(seed=seed)
            case "grid":
                return samplers.GridSampler(grid(space, trials), seed=seed)  # type: ignore[arg-type]
        # Multivariate and with a constant liar for running trials by default: both are measured to be better.
        if conditional(space):
            return samplers.TPESampler(seed=seed, multivariate=True, group=True)
        return samplers.TPESampler(seed=seed)


def _need_cmaes() -> None:
    from importlib.util import find_spec

    if find_spec("cmaes") is None:
        raise DlcheckError("--sampler cmaes needs the Python package cmaes: install it, or take --sampler tpe")


def make_pruner(name: str, epochs: int) -> optuna.pruners.BasePruner:
    """Return Optuna's pruner for trials of so many epochs, which report after each."""
    from optuna import pruners

    match name:
        case "asha":
            return pruners.SuccessiveHalvingPruner(min_resource=first_rung(epochs), reduction_factor=REDUCTION)
        case "hyperband":
            return pruners.HyperbandPruner(
                min_resource=first_rung(epochs), max_resource=max(epochs, 2), reduction_factor=REDUCTION
            )
        case "median":
            return pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
    return pruners.NopPruner()


def derived_seed(*parts: int) -> int:
    """Return a seed that differs for every combination of parts, the same on every machine."""
    digest = hashlib.sha256(",".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "little")
