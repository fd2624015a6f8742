"""Other values for some keys of a recipe, given by path."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from dlcheck.errors import DlcheckError
from dlcheck.recipe.complaint import complain
from dlcheck.recipe.override import apply_overrides
from dlcheck.recipe.recipe import Recipe


def patched(recipe: Recipe, values: Mapping[str, object]) -> Recipe:
    """Return the recipe with other values, by paths as ``optimizer.lr`` or ``optimizer.betas.0``.

    A section whose ``name`` changes keeps the keys that the new component has too, and takes its defaults for those
    that the recipe does not set.

    Raises:
        DlcheckError: a path that is none, or a value that the schema refuses.
    """
    raw = recipe.model_dump(exclude_unset=True)
    whole = {path: value for path, value in values.items() if not _index(path)}
    apply_overrides(raw, [(tuple(path.split(".")), value) for path, value in whole.items()])
    result = _validated(raw, values)
    entries = [path for path in values if _index(path)]
    if not entries:
        return result
    lists: dict[str, object] = {}
    for path in entries:
        parent, _, index = path.rpartition(".")
        found = lists.get(parent, value_at(result, parent))
        if not isinstance(found, list) or int(index) >= len(found):
            raise DlcheckError(f"{path}: {parent} has no entry {index}")
        lists[parent] = [*found[: int(index)], values[path], *found[int(index) + 1 :]]
    apply_overrides(raw, [(tuple(path.split(".")), value) for path, value in lists.items()])
    return _validated(raw, values)


def value_at(recipe: Recipe, path: str) -> object:
    """Return the value of a key, defaults included; None where there is no such key or it is not set."""
    value: Any = recipe
    for part in path.split("."):
        if isinstance(value, list):
            value = value[int(part)] if part.isdigit() and int(part) < len(value) else None
        else:
            value = getattr(value, part, None)
    return value


def _index(path: str) -> bool:
    return path.rpartition(".")[2].isdigit()


def _validated(raw: dict[str, Any], values: Mapping[str, object]) -> Recipe:
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        told = complain(error, "", "recipe")
        raise DlcheckError(told.removeprefix("recipe: ")) from None
