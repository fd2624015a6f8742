"""A recipe that no longer depends on where it is run from."""

from pathlib import Path

from dlcheck.recipe.code import uses_own_code
from dlcheck.recipe.load import LoadedRecipe
from dlcheck.recipe.recipe import Recipe
from dlcheck.recipe.section import Section


def resolve(loaded: LoadedRecipe) -> Recipe:
    """Return the recipe with absolute paths, and the folder of the user's own code when it names any."""
    recipe = loaded.recipe
    changes: dict[str, object] = {"data": _absolute(recipe.data, ("path", "root", "labels"))}
    if recipe.model.weights is not None and Path(recipe.model.weights).is_file():
        changes["model"] = _absolute(recipe.model, ("weights",))
    if uses_own_code(recipe):
        changes["folder"] = str(loaded.folder)
    return recipe.model_copy(update=changes)


def _absolute(section: Section, keys: tuple[str, ...]) -> Section:
    changes: dict[str, object] = {}
    for key in keys:
        value = getattr(section, key, None)
        if key not in type(section).model_fields or value is None:
            continue
        paths = [str(Path(item).expanduser().absolute()) for item in (value if isinstance(value, list) else [value])]
        changes[key] = paths if isinstance(value, list) else paths[0]
    return section.model_copy(update=changes)
