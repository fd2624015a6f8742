"""``--set optimizer.lr=0.1``: change keys of a recipe before it is validated."""

import tomllib
from collections.abc import Iterable, MutableMapping
from typing import Any, get_args

from pydantic import BaseModel

from dlcheck.errors import DlcheckError
from dlcheck.recipe.recipe import Recipe


def parse_override(text: str) -> tuple[tuple[str, ...], object]:
    """Split ``key=value``; the value is read as TOML, and as a plain string when it is none.

    Raises:
        DlcheckError: no ``=``, or no key before it.
    """
    key, equals, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not equals or not all(path):
        raise DlcheckError(f"--set {text}: expected KEY=VALUE, as --set optimizer.lr=0.1")
    return path, parse_value(value.strip())


def parse_value(text: str) -> object:
    """Read one TOML value; anything that is none is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def apply_overrides(raw: dict[str, Any], overrides: Iterable[tuple[tuple[str, ...], object]]) -> list[str]:
    """Set keys of ``raw`` in place, and return the keys dropped because another component was named.

    A section whose ``name`` changes keeps only the keys that the new component has and those set by hand.
    """
    changed = list(overrides)
    dropped: list[str] = []
    for path, value in changed:
        if len(path) == 2 and path[1] in ("name", "target"):
            name = str(value) if path[1] == "name" else "custom"
            dropped += drop_foreign(raw, path[0], name)
            _set(raw, (path[0], "name"), name)
    for path, value in changed:
        _set(raw, path, value)
    return dropped


def _set(raw: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    table = raw
    for depth, key in enumerate(path[:-1], start=1):
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise DlcheckError(f"--set {'.'.join(path)}: {'.'.join(path[:depth])} is a value, not a section")
    table[path[-1]] = value


def drop_foreign(raw: MutableMapping[str, Any], section: str, name: str) -> list[str]:
    """Take out of a section the keys that its new component does not have, and return them."""
    table = raw.get(section)
    model = component_model(section, name)
    if not isinstance(table, MutableMapping) or model is None or table.get("name") == name:
        return []
    foreign = [key for key in table if key not in model.model_fields]
    for key in foreign:
        del table[key]
    return [f"{section}.{key}" for key in foreign]


def component_model(section: str, name: str) -> type[BaseModel] | None:
    """Return the schema of the component ``name`` of ``section``, None when there is none."""
    return component_models(section).get(name)


def component_models(section: str) -> dict[str, type[BaseModel]]:
    """Return every component of a section with its schema; empty for sections without components."""
    field = Recipe.model_fields.get(section)
    models: dict[str, type[BaseModel]] = {}
    for model in get_args(field.annotation) if field else ():
        for name in get_args(model.model_fields["name"].annotation):
            models[str(name)] = model
    return models
