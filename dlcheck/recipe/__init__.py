"""Recipes: schema, loading, overrides. Imports no torch."""

from dlcheck.recipe.dump import dump_recipe
from dlcheck.recipe.load import LoadedRecipe, find_recipe, load_recipe, parse_recipe
from dlcheck.recipe.recipe import Recipe
from dlcheck.recipe.shipped import shipped_recipes, sick_recipes

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
