"""From ``[search]`` to Optuna's distributions and back: names, scales, conditions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dlcheck.recipe.override import component_models
from dlcheck.recipe.patch import value_at
from dlcheck.recipe.recipe import Recipe
from dlcheck.recipe.tune import SearchEntry, choice_text
from dlcheck.tuning.trials import SpaceEntry

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

ZERO = "=0"
"""Ends the name of the choice between a range and zero."""
PREFIXES = {"near_one": "1-", "pow2": "log2 ", "times": "times "}
"""What a name begins with when Optuna sees the number on another scale than the recipe."""
REFERENCE_RATES = {"sgd": 0.3, "momentum": 0.03, "nesterov": 0.03}
ADAPTIVE_RATE = 0.003
"""What ``times`` multiplies where the recipe has no rate for a component: the constants that regretted least over
19 small tasks (mean regret 0.07 at a constant rate), for plain SGD, SGD with momentum and adaptive optimizers."""


def build_space(recipe: Recipe) -> dict[str, SpaceEntry]:
    """Return every dimension of a recipe's search by its name in the study; what others depend on comes first.

    Names tell conditions apart (``optimizer.lr@sgd`` and ``optimizer.lr@adamw`` are two parameters) and scales
    (``1-optimizer.momentum@sgd`` holds the distance from 1).
    """
    search, space = recipe.search or {}, {}
    for path in sorted(search, key=lambda path: _depth(path, search)):
        for entry in search[path]:
            dimension = _dimension(recipe, path, entry)
            space[name_of(dimension)] = dimension
    return space


def name_of(entry: SpaceEntry) -> str:
    """Return the name of a dimension in the study."""
    conditions = ",".join("|".join(choice_text(value) for value in values) for _, values in entry.when)
    qualified = f"{entry.path}@{conditions}" if conditions else entry.path
    return PREFIXES.get(entry.kind, "") + qualified


def conditional(space: Mapping[str, SpaceEntry]) -> bool:
    """Return whether any dimension depends on another."""
    return any(entry.when for entry in space.values())


def suggest(trial: optuna.Trial, space: Mapping[str, SpaceEntry], recipe: Recipe) -> dict[str, object]:
    """Ask the study for a value of every dimension that is active, and return them by path of the recipe."""
    values: dict[str, object] = {}
    for name, entry in space.items():
        if not _active(entry, values):
            continue
        raw = {part: _ask(trial, part, how) for part, how in distributions(name, entry).items()}
        values[entry.path] = decode(name, entry, raw, _base(entry, recipe, values))
    return values


def distributions(name: str, entry: SpaceEntry) -> dict[str, BaseDistribution]:
    """Return Optuna's distributions of a dimension: one, or two when zero is tried too."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if entry.kind == "choice":
        return {name: CategoricalDistribution([choice_text(choice) for choice in entry.choices])}
    low, high = _scaled(entry)
    whole = entry.kind in ("int", "pow2")
    main = IntDistribution(int(low), int(high), log=entry.log) if whole else FloatDistribution(low, high, log=entry.log)
    # The range is asked for even when zero is chosen: every trial then has the same parameters, as samplers like it.
    return {name: main} | ({name + ZERO: CategoricalDistribution(["no", "yes"])} if entry.or_zero else {})


def decode(name: str, entry: SpaceEntry, raw: Mapping[str, object], base: float | None) -> object:
    """Return the recipe's value for what Optuna suggested."""
    value = raw[name]
    if entry.kind == "choice":
        return next(choice for choice in entry.choices if choice_text(choice) == value)
    number = float(str(value))
    if raw.get(name + ZERO) == "yes":
        return 0 if entry.kind in ("int", "pow2") else 0.0
    match entry.kind:
        case "int":
            return int(number)
        case "pow2":
            return 2 ** int(number)
        case "near_one":
            return 1.0 - number
        case "times":
            return number * (1.0 if base is None else base)
    return number


def own_point(recipe: Recipe, space: Mapping[str, SpaceEntry]) -> tuple[dict[str, object], list[str]]:
    """Return Optuna's parameters of the recipe as it is, and the paths whose value lies outside the space.

    A value outside takes the nearest one inside: the sampler has to be told some point, and a trial without one
    would make multivariate samplers forget the parameter.
    """
    values: dict[str, object] = {}
    raw: dict[str, object] = {}
    outside: list[str] = []
    for name, entry in space.items():
        if not _active(entry, values):
            continue
        own = value_at(recipe, entry.path)
        found, exact = _encode(name, entry, own, _base(entry, recipe, values))
        raw |= found
        values[entry.path] = decode(name, entry, found, _base(entry, recipe, values))
        if not exact:
            outside.append(entry.path)
    return raw, outside


def grid(space: Mapping[str, SpaceEntry], trials: int) -> dict[str, list[object]]:
    """Return an unconditional space's grid: at most ``trials`` points, but at least two values of each range."""
    import numpy as np

    parts = {part: how for name, entry in space.items() for part, how in distributions(name, entry).items()}
    choices = {name: list(how.choices) for name, how in parts.items() if hasattr(how, "choices")}
    ranges = {name: how for name, how in parts.items() if name not in choices}
    left = trials / math.prod(len(values) for values in choices.values())
    count = max(2, int(left ** (1 / len(ranges)) + 1e-9)) if ranges else 0
    points: dict[str, list[object]] = dict(choices)
    for name, how in ranges.items():
        low, high = getattr(how, "low"), getattr(how, "high")  # noqa: B009  # of two classes without a common base
        places = np.geomspace(low, high, count) if getattr(how, "log", False) else np.linspace(low, high, count)
        whole = type(how).__name__.startswith("Int")
        found = [round(place) if whole else float(min(max(place, low), high)) for place in places]
        points[name] = list(dict.fromkeys(found))
    return points


def _dimension(recipe: Recipe, path: str, entry: SearchEntry) -> SpaceEntry:
    when = tuple(sorted(entry.conditions.items()))
    kind = entry.kind
    if kind == "choice":
        return SpaceEntry(path, kind, choices=tuple(entry.choice or ()), when=when)
    low, high = getattr(entry, kind)
    base = value_at(recipe, path) if kind == "times" else None
    return SpaceEntry(
        path=path,
        kind=kind,
        low=low,
        high=high,
        log=kind in ("log", "near_one", "times") or entry.log is True,
        or_zero=entry.or_zero,
        when=when,
        base=float(base) if isinstance(base, int | float) else None,
    )


def _depth(path: str, search: Mapping[str, list[SearchEntry]]) -> int:
    parents = {parent for entry in search[path] for parent in entry.conditions}
    return 1 + max((_depth(parent, search) for parent in parents), default=-1)


def _active(entry: SpaceEntry, values: Mapping[str, object]) -> bool:
    return all(path in values and values[path] in allowed for path, allowed in entry.when)


def _ask(trial: optuna.Trial, name: str, how: BaseDistribution) -> object:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(how, CategoricalDistribution):
        return trial.suggest_categorical(name, how.choices)
    if isinstance(how, IntDistribution):
        return trial.suggest_int(name, how.low, how.high, log=how.log)
    assert isinstance(how, FloatDistribution)
    return trial.suggest_float(name, how.low, how.high, log=how.log)


def _scaled(entry: SpaceEntry) -> tuple[float, float]:
    """Return the ends of a range on the scale that Optuna sees."""
    assert entry.low is not None
    assert entry.high is not None
    if entry.kind == "near_one":
        return 1.0 - entry.high, 1.0 - entry.low
    if entry.kind == "pow2":
        return math.log2(entry.low), math.log2(entry.high)
    return entry.low, entry.high


def _base(entry: SpaceEntry, recipe: Recipe, values: Mapping[str, object]) -> float | None:
    """Return what ``times`` multiplies: the recipe's value, or one that suits another component."""
    section = entry.path.split(".")[0]
    name = values.get(f"{section}.name")
    if entry.kind != "times" or name is None or name == value_at(recipe, f"{section}.name"):
        return entry.base
    if entry.path == "optimizer.lr":
        return REFERENCE_RATES.get(str(name), ADAPTIVE_RATE)
    schema = component_models(section).get(str(name))
    field = schema.model_fields.get(entry.path.split(".")[-1]) if schema is not None else None
    default = field.default if field is not None else None
    return float(default) if isinstance(default, int | float) and default else entry.base


def _encode(name: str, entry: SpaceEntry, own: object, base: float | None) -> tuple[dict[str, object], bool]:
    if entry.kind == "choice":
        texts = [choice_text(choice) for choice in entry.choices]
        exact = choice_text(own) in texts
        return {name: choice_text(own) if exact else texts[0]}, exact
    low, high = _scaled(entry)
    if isinstance(own, bool) or not isinstance(own, int | float):
        return {name: _whole(entry, low)} | ({name + ZERO: "no"} if entry.or_zero else {}), False
    if entry.or_zero and own == 0:
        middle = math.sqrt(low * high) if entry.log else (low + high) / 2
        return {name: _whole(entry, middle), name + ZERO: "yes"}, True
    place = _place(entry, float(own), base)
    inside = _whole(entry, min(max(place, low), high))
    exact = math.isclose(float(inside), place, rel_tol=1e-9, abs_tol=1e-12)
    return {name: inside} | ({name + ZERO: "no"} if entry.or_zero else {}), exact


def _place(entry: SpaceEntry, own: float, base: float | None) -> float:
    match entry.kind:
        case "near_one":
            return 1.0 - own
        case "pow2":
            return math.log2(own) if own > 0 else -1.0
        case "times":
            return own / base if base else 1.0
    return own


def _whole(entry: SpaceEntry, value: float) -> float:
    return round(value) if entry.kind in ("int", "pow2") else value


def describe(space: Mapping[str, SpaceEntry]) -> list[str]:
    """Return a line a dimension, for people and for the difference between two spaces."""
    return [_line(name, entry) for name, entry in space.items()]


def _line(name: str, entry: SpaceEntry) -> str:
    if entry.kind == "choice":
        what = json.dumps(list(entry.choices))
    else:
        log = " log" if entry.log and entry.kind in ("int", "float") else ""
        what = f"[{entry.low:g}, {entry.high:g}]{log}{' or 0' if entry.or_zero else ''}"
    condition = " when " + " and ".join(f"{path} in {list(allowed)}" for path, allowed in entry.when)
    return f"{entry.path}: {entry.kind} {what}{condition if entry.when else ''}"
