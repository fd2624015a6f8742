"""Write a recipe back to TOML, so that it runs again as it is."""

from typing import Any

import tomlkit

from dlcheck.errors import printable
from dlcheck.recipe.recipe import Recipe


def dump_recipe(recipe: Recipe, comment: str = "", *, defaults: bool = True) -> str:
    """Return a recipe as TOML that loads to an equal one; keys without a value are left out, defaults on request."""
    document = tomlkit.document()
    if comment:
        document.add(tomlkit.comment(printable(comment)))
    for key, value in _without_none(recipe.model_dump(mode="python", exclude_unset=not defaults)).items():
        document.add(key, tomlkit.item(value))
    return tomlkit.dumps(document)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value
