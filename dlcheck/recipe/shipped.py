"""The recipes that ship with dlcheck."""

from pathlib import Path

import dlcheck

SICK = "sick"
"""Folder of the recipes that are ill on purpose."""


def recipe_folder() -> Path:
    """Return the folder of shipped recipes: inside the installed package, or beside it in a source tree."""
    package = Path(dlcheck.__file__).parent
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def shipped_recipes() -> dict[str, Path]:
    """Return each shipped recipe's name and file, sorted by name."""
    return {path.stem: path for path in sorted(recipe_folder().glob("*.toml"))}


def sick_recipes() -> dict[str, Path]:
    """Return name (``sick/NAME``) and file of each recipe that is ill on purpose, sorted by name."""
    return {f"{SICK}/{path.stem}": path for path in sorted((recipe_folder() / SICK).glob("*.toml"))}
