"""From a recipe and what was asked for on the command line to the plan of a study."""

from __future__ import annotations

import dataclasses
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from dlcheck.errors import DlcheckError, nearest
from dlcheck.recipe import LoadedRecipe, Recipe
from dlcheck.recipe.patch import patched
from dlcheck.recipe.search import check_search
from dlcheck.recipe.tune import Tune, read_budget
from dlcheck.tuning.autospace import auto_space
from dlcheck.tuning.plan import COSTS, Plan, infer_direction
from dlcheck.tuning.sampling import choose
from dlcheck.tuning.space import build_space
from dlcheck.tuning.storage import database_url

ROOT = Path("dlcheck-studies")
TRIALS = 40
"""When nothing else says how much to try."""


@dataclass(frozen=True, slots=True)
class Request:
    """How to run a study on this machine; what to search for stands in the recipe."""

    study_dir: Path | None = None
    storage: str | None = None
    study_name: str | None = None
    workers: int = 1
    device: str = "auto"
    architecture: bool = False
    deterministic: bool = False
    conclude: bool = True
    """At the end, train the best trials again, choose one, and write ``best.toml``, ``trials.csv`` and the report."""
    source: str | None = None
    """Text of the recipe's file, whose comments ``best.toml`` is to keep."""


def make_plan(loaded: LoadedRecipe, recipe: Recipe, request: Request) -> Plan:
    """Return the plan of a study.

    Args:
        loaded: The recipe.
        recipe: The same with absolute paths.
        request: How to go about it on this machine.

    Raises:
        DlcheckError: a recipe that cannot be built, a metric that it never logs, settings that do not fit together.
    """
    from dlcheck.training.device import choose_device
    from dlcheck.tuning.once import columns

    settings = loaded.recipe.tune or Tune()
    if request.deterministic and request.storage is not None:
        raise DlcheckError("--deterministic: only on this machine, without --storage")
    choose_device(request.device)
    trials, epochs, seconds = _amount(settings)
    searched = _searched(recipe, settings, request.architecture)
    small = _subset(bare(recipe), settings.subset)
    if request.deterministic:
        small = patched(small, {"train.deterministic": True})
    metrics = (settings.metric,) if isinstance(settings.metric, str) else tuple(settings.metric)
    _refuse_unknown(metrics, [*columns(small, loaded.folder), *COSTS])
    folder = request.study_dir or ROOT / (request.study_name or loaded.name)
    plan = Plan(
        recipe=small,
        code=loaded.folder,
        folder=folder.absolute(),
        url=request.storage or database_url(folder),
        name=request.study_name or loaded.name,
        space=build_space(searched),
        metrics=metrics,
        minimize=_directions(metrics, settings.direction),
        sampler="",
        pruner="",
        limits=_limits(settings),
        seed=settings.seed,
        trials=trials,
        budget_epochs=epochs,
        budget_s=seconds,
        deadline=time.monotonic() + settings.timeout if settings.timeout is not None else None,
        device=request.device,
        workers=request.workers,
        threads=_threads(request.workers),
        deterministic=request.deterministic,
        token=uuid.uuid4().hex,
    )
    found = choose(settings.sampler, settings.pruner, space=plan.space, epochs=plan.epochs, objectives=len(metrics))
    return dataclasses.replace(plan, sampler=found.sampler, pruner=found.pruner, why=found.why)


def _amount(settings: Tune) -> tuple[int | None, int | None, float | None]:
    """Return how many trials, how many epochs and how many seconds of training there may be."""
    epochs, seconds = read_budget(settings.budget) if settings.budget is not None else (None, None)
    open_end = settings.budget is not None or settings.timeout is not None
    return settings.trials or (None if open_end else TRIALS), epochs, seconds


def _searched(recipe: Recipe, settings: Tune, architecture: bool) -> Recipe:
    if recipe.search:
        return recipe
    trials = _amount(settings)[0] or TRIALS
    found = recipe.model_copy(update={"search": auto_space(recipe, trials, architecture=architecture)})
    check_search(found)
    return found


def bare(recipe: Recipe) -> Recipe:
    """Return a recipe without what only the search is about, as trials and the best one are written."""
    raw = recipe.model_dump(exclude_unset=True)
    return Recipe.model_validate({key: value for key, value in raw.items() if key not in ("tune", "search")})


def _subset(recipe: Recipe, share: float | None) -> Recipe:
    if share is None:
        return recipe
    limit = recipe.data.limit
    if isinstance(limit, int):
        return patched(recipe, {"data.limit": max(1, round(limit * share))})
    return patched(recipe, {"data.limit": share * (limit or 1.0)})


def _refuse_unknown(metrics: tuple[str, ...], known: list[str]) -> None:
    for metric in metrics:
        if metric not in known:
            raise DlcheckError(f"tune.metric: {metric!r} is never logged by this recipe; {nearest(metric, known)}")
    if len(set(metrics)) < len(metrics):
        raise DlcheckError(f"tune.metric: {metrics[-1]!r} stands there twice")
    if metrics[0] in COSTS:
        raise DlcheckError(
            f"tune.metric: {metrics[0]} alone would choose a network that learns nothing; name it second"
        )


def _directions(metrics: tuple[str, ...], said: object) -> tuple[bool, ...]:
    given = said if isinstance(said, list) else [said] * len(metrics)
    if len(given) != len(metrics):
        raise DlcheckError(f"tune.direction: {len(given)} directions for {len(metrics)} metrics")
    return tuple(_direction(metric, word) for metric, word in zip(metrics, given, strict=True))


def _direction(metric: str, word: object) -> bool:
    known = infer_direction(metric) if word is None else word == "min"
    if known is None:
        raise DlcheckError(f'tune.direction: is {metric} to be made small or large? set direction = "min" or "max"')
    return known


def _limits(settings: Tune) -> dict[str, float]:
    given = settings.limits.model_dump(exclude_none=True)
    return {name.removesuffix("_max"): float(most) for name, most in given.items()}


def _threads(workers: int) -> int | None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // workers) if workers > 1 else None
