"""Put values into a recipe's file, and nothing else."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe.document import put, section_of
from dlcheck.recipe.shipped import shipped_recipes, sick_recipes
from dlcheck.runs.atomic import write_atomic

Value = str | int | float | bool
"""What can be written under one key."""


def writable(recipe: str | Path, *, instead: str = "copy one into your folder") -> Path:
    """Return the file of a recipe that may be changed, links followed.

    Args:
        recipe: A path; the name of a shipped recipe is none.
        instead: What to do where there is no such file, for the message.

    Raises:
        DlcheckError: it is no file, one that ships with dlcheck, or may not be written.
    """
    path = Path(recipe)
    if not path.is_file():
        raise DlcheckError(f"--write: {recipe} is no recipe file of yours; {instead}")
    real = path.resolve()
    if any(real == shipped.resolve() for shipped in (shipped_recipes() | sick_recipes()).values()):
        raise DlcheckError(f"--write: {recipe} ships with dlcheck; copy it into your folder and name the copy")
    if not os.access(real, os.W_OK):
        raise DlcheckError(f"--write: {recipe} may not be written")
    return real


def readable_text(path: Path) -> str:
    """Return a recipe's text, its line ends as they are.

    Raises:
        DlcheckError: it cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DlcheckError(f"--write: {path}: cannot read: {one_line(error)}") from None


def with_values(text: str, values: Mapping[str, Value]) -> str:
    """Return a recipe's text with some keys changed; comments, order and layout stay as they are.

    Args:
        text: Of the recipe.
        values: By path, as ``optimizer.lr``; a section that is not there is added at the end.

    Raises:
        DlcheckError: not TOML, a path leads through a value, or the layout is one that cannot be kept.
    """
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise DlcheckError(f"--write: not a TOML file: {one_line(error)}") from None
    wanted = tomllib.loads(text)
    for path, value in values.items():
        *sections, key = path.split(".")
        try:
            put(section_of(document, sections), key, value)
        except ValueError as error:
            raise DlcheckError(f"--write: {error}") from None
        section_of(wanted, sections)[key] = value
    changed = tomlkit.dumps(document)
    if not _same(tomllib.loads(changed), wanted):
        options = " ".join(f"--set {path}={_written(value)}" for path, value in values.items())
        raise DlcheckError(f"--write: this recipe's layout cannot be kept; pass {options} instead")
    return changed


def write_values(path: Path, values: Mapping[str, Value], *, expected: str) -> None:
    """Write values into a recipe's file; its permissions stay as they are.

    Args:
        path: As ``writable`` returned it.
        values: By path, as ``optimizer.lr``.
        expected: What the file held when the values were looked for.

    Raises:
        DlcheckError: the file has changed meanwhile, or cannot be written; it is then as it was.
    """
    found = readable_text(path)
    if found != expected:
        raise DlcheckError(f"--write: {path} has changed since it was read; nothing was written")
    mode = path.stat().st_mode
    write_atomic(path, with_values(found, values))
    path.chmod(mode & 0o7777)


def _written(value: Value) -> str:
    return tomlkit.item(value).as_string()


def _same(first: object, second: object) -> bool:
    """Compare with types: TOML tells 1 from 1.0 and from true."""
    if isinstance(first, dict) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(_same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(_same, first, second))
    return type(first) is type(second) and (first == second or first != first)
