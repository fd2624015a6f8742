"""Read a recipe from a file or by the name of a shipped one."""

import copy
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.recipe.complaint import complain, place
from dlcheck.recipe.override import apply_overrides, parse_override
from dlcheck.recipe.recipe import Recipe
from dlcheck.recipe.search import SearchFault, check_search
from dlcheck.recipe.shipped import SICK, shipped_recipes, sick_recipes

MOST_BYTES = 1_000_000
"""Of a recipe; the longest that ships has five thousand."""


@dataclass(frozen=True, slots=True)
class LoadedRecipe:
    """A valid recipe, and what is needed to run and name it."""

    recipe: Recipe
    name: str
    folder: Path
    """Where the user's own code is looked for."""
    dropped: tuple[str, ...] = ()
    """Keys that no longer applied after an override named another component."""


def load_recipe(recipe: str | Path, overrides: Iterable[str] = ()) -> LoadedRecipe:
    """Load a recipe by path or shipped name, with ``KEY=VALUE`` overrides.

    Raises:
        DlcheckError: no such recipe, not TOML, or against the schema; one line that names the place.
    """
    path = find_recipe(recipe)
    text = _read(path)
    return parse_recipe(text, str(recipe), name=path.stem, folder=path.parent, overrides=overrides)


def parse_recipe(
    text: str, origin: str, *, name: str = "recipe", folder: Path = Path(), overrides: Iterable[str] = ()
) -> LoadedRecipe:
    """Validate a recipe's text; ``origin`` names it in messages.

    Raises:
        DlcheckError: not TOML, or against the schema.
    """
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also integers of thousands of digits, and lists thousands deep
        raise DlcheckError(f"{origin}: not a TOML file: {one_line(error)}") from None
    changed: dict[str, Any] = copy.deepcopy(raw)
    parsed = [parse_override(item) for item in overrides]
    dropped = apply_overrides(changed, parsed)
    try:
        valid = Recipe.model_validate(changed)
    except ValidationError as error:
        raise DlcheckError(complain(error, text, origin, [path for path, _ in parsed])) from None
    _refuse_search(valid, text, origin, [path for path, _ in parsed])
    home = folder / valid.folder if valid.folder else folder
    return LoadedRecipe(valid, name, home.resolve(), tuple(dropped))


def _refuse_search(recipe: Recipe, text: str, origin: str, overridden: Iterable[tuple[str, ...]]) -> None:
    try:
        check_search(recipe)
    except SearchFault as fault:
        path = ("search", *fault.path.split("."))
        raise DlcheckError(f"{place(path, text, origin, overridden)}: search.{fault.path}: {fault.reason}") from None


def find_recipe(recipe: str | Path) -> Path:
    """Return the file of a recipe given by path or by shipped name.

    Raises:
        DlcheckError: neither a file nor a shipped name; names the nearest.
    """
    path = Path(recipe)
    if path.is_file():
        return path
    shipped = shipped_recipes() | sick_recipes()
    if str(recipe) in shipped:
        return shipped[str(recipe)]
    what = "is a folder, not a recipe" if path.is_dir() else "no such recipe"
    meant = sick_recipes() if str(recipe).startswith(f"{SICK}/") else shipped_recipes()
    raise DlcheckError(f"{recipe}: {what}; {nearest(str(recipe), meant, 'shipped recipes')}")


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise OSError(f"larger than {MOST_BYTES:,} bytes; a recipe is a page of TOML")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DlcheckError(f"{path}: cannot read this recipe: {one_line(error)}") from None
