"""Recipes: schema, loading, overrides. Imports no torch."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcheck.recipe.dump import dump_recipe
    from dlcheck.recipe.load import LoadedRecipe, find_recipe, load_recipe, parse_recipe
    from dlcheck.recipe.recipe import Recipe
    from dlcheck.recipe.shipped import shipped_recipes, sick_recipes

_HOMES = {
    "LoadedRecipe": "load",
    "Recipe": "recipe",
    "dump_recipe": "dump",
    "find_recipe": "load",
    "load_recipe": "load",
    "parse_recipe": "load",
    "shipped_recipes": "shipped",
    "sick_recipes": "shipped",
}

__all__ = [
    "LoadedRecipe",
    "Recipe",
    "dump_recipe",
    "find_recipe",
    "load_recipe",
    "parse_recipe",
    "shipped_recipes",
    "sick_recipes",
]


if not TYPE_CHECKING:  # type checkers read the imports above, and so know what is not there

    def __getattr__(name: str) -> object:
        # The schema takes a third of a second to build, and a shell that completes a name waits for it.
        if name not in _HOMES:
            raise AttributeError(f"module 'dlcheck.recipe' has no attribute {name!r}")
        return getattr(import_module(f"dlcheck.recipe.{_HOMES[name]}"), name)
