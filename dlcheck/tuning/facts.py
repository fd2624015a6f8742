"""A study as the fact that rules and reports read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dlcheck.errors import DlcheckError
from dlcheck.recipe.load import parse_recipe
from dlcheck.recipe.patch import value_at
from dlcheck.recipe.tune import choice_text
from dlcheck.runs.facts import CurvePoint, SearchParameter, SearchStudy, SearchTrial, SearchValue
from dlcheck.tuning.trials import SpaceEntry, StudyView, TrialRow

STARTUP = {"tpe": 10, "gp": 10}
"""Trials that Optuna's samplers draw at random before they fit their first model (Optuna's own defaults)."""


def own_values(view: StudyView) -> dict[str, object]:
    """Return the recipe's own value of every key that is searched; keys that it has not are left out."""
    try:
        recipe = parse_recipe(view.recipe, "the study's recipe").recipe
    except DlcheckError:  # a study that another program made has none
        return {}
    found = {entry.path: value_at(recipe, entry.path) for entry in view.space.values()}
    return {path: value for path, value in found.items() if value is not None}


def study_fact(view: StudyView, own: Mapping[str, object]) -> SearchStudy:
    """Return what a study tried so far; what comes of training trials again is for others to add."""
    paths = {entry.path for entry in view.space.values()}
    space = {name: _parameter(name, entry, paths) for name, entry in view.space.items()}
    rows = [row for row in view.trials if row.ending is not None and not row.requeued]
    return SearchStudy(
        metric=view.metric,
        minimize=view.minimize,
        trials=tuple(_trial(row, view.space, space, own) for row in rows),
        parameters=tuple(space.values()),
        total=view.total,
        startup=STARTUP.get(view.sampler, 0),
        epochs=view.epochs,
        name=view.name,
        sampler=view.sampler,
        pruner=view.pruner,
        why=view.why,
    )


def _parameter(name: str, entry: SpaceEntry, paths: set[str]) -> SearchParameter:
    """Return a dimension in the recipe's own unit; of ``times`` in factors where what it multiplies changes."""
    fixed = entry.kind == "times" and entry.base and f"{entry.path.split('.')[0]}.name" not in paths
    found = SearchParameter(
        name=name,
        path=entry.path,
        kind=entry.kind,
        low=entry.low,
        high=entry.high,
        log=entry.log,
        or_zero=entry.or_zero,
        choices=tuple(choice_text(choice) for choice in entry.choices),
        when=" and ".join(f"{path} = {' or '.join(map(choice_text, values))}" for path, values in entry.when),
    )
    if fixed and entry.base and entry.low is not None and entry.high is not None:
        return replace(found, low=entry.low * entry.base, high=entry.high * entry.base, base=entry.base)
    return found


def _trial(
    row: TrialRow, space: Mapping[str, SpaceEntry], known: Mapping[str, SearchParameter], own: Mapping[str, object]
) -> SearchTrial:
    params = own if row.baseline else row.params
    values = [
        _value(known[name], params.get(entry.path), row.raw[name]) for name, entry in space.items() if name in row.raw
    ]
    return SearchTrial(
        number=row.number,
        ending=str(row.ending),
        value=row.value,
        params=tuple(value for value in values if value is not None),
        epochs=row.epochs,
        curve=tuple(CurvePoint(epoch, value) for epoch, value in row.curve),
        seconds=row.seconds,
        reason=row.diagnosis or row.reason,
        baseline=row.baseline,
    )


def _value(parameter: SearchParameter, value: object, raw: object) -> SearchValue | None:
    if parameter.kind == "choice":
        return SearchValue(parameter.name, text=choice_text(value)) if value is not None else None
    number = raw if parameter.kind == "times" and parameter.base is None else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return SearchValue(parameter.name, float(number))
