"""Put a rate into a recipe, and nothing else."""

from __future__ import annotations

import os
import tomllib
from collections.abc import MutableMapping
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Float, Item, Trivia

from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe.shipped import shipped_recipes
from dlcheck.runs.atomic import write_atomic


def writable(recipe: str | Path) -> Path:
    """Return the file of a recipe that may be changed, links followed.

    Raises:
        DlcheckError: it is no file, one that ships with dlcheck, or may not be written.
    """
    path = Path(recipe)
    if not path.is_file():
        raise DlcheckError(
            f"--write: {recipe} is no recipe file of yours; copy one, or pass --set optimizer.lr=RATE to dlcheck train"
        )
    real = path.resolve()
    if any(real == shipped.resolve() for shipped in shipped_recipes().values()):
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


def with_rate(text: str, rate: float) -> str:
    """Return a recipe's text with ``optimizer.lr`` changed; comments, order and layout stay as they are.

    Raises:
        DlcheckError: not TOML, or ``optimizer`` is no table.
    """
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise DlcheckError(f"--write: not a TOML file: {one_line(error)}") from None
    section = document.get("optimizer")
    if section is None:
        section = document.setdefault("optimizer", tomlkit.table())
    if not isinstance(section, MutableMapping):
        raise DlcheckError("--write: optimizer is a value, not a section")
    before = section.get("lr")
    raw = _written(rate)
    item = Float(float(raw), Trivia(), raw)
    if isinstance(before, Item):
        item.trivia.indent, item.trivia.comment_ws = before.trivia.indent, before.trivia.comment_ws
        item.trivia.comment, item.trivia.trail = before.trivia.comment, before.trivia.trail
    section["lr"] = item
    changed = tomlkit.dumps(document)
    _refuse_other_changes(text, changed, float(raw))
    return changed


def write_rate(path: Path, rate: float, *, expected: str) -> None:
    """Write a rate into a recipe's file; its permissions stay as they are.

    Args:
        path: As ``writable`` returned it.
        rate: The new ``optimizer.lr``.
        expected: What the file held when the rate was looked for.

    Raises:
        DlcheckError: the file has changed meanwhile, or cannot be written; it is then as it was.
    """
    found = readable_text(path)
    if found != expected:
        raise DlcheckError(f"--write: {path} has changed since it was read; nothing was written")
    mode = path.stat().st_mode
    write_atomic(path, with_rate(found, rate))
    path.chmod(mode & 0o7777)


def _written(rate: float) -> str:
    text = f"{rate:.2g}"
    return text if "." in text or "e" in text else f"{text}.0"


def _refuse_other_changes(before: str, after: str, rate: float) -> None:
    wanted = tomllib.loads(before)
    wanted.setdefault("optimizer", {})["lr"] = rate
    if tomllib.loads(after) != wanted:
        raise DlcheckError("--write: this recipe's layout cannot be kept; pass --set optimizer.lr=RATE instead")
