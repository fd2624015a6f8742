"""The cured recipe as a file: the user's own text, with other values and with the reason beside each."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import MutableMapping, Sequence
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Item

from dlcheck.recipe import Recipe, dump_recipe
from dlcheck.recipe.override import component_model
from dlcheck.report.treated import Change

WHY_LENGTH = 90
"""Characters of a reason, beside a key."""
Section = MutableMapping[str, Any]


def cured_text(text: str, changes: Sequence[Change], wanted: Recipe) -> str:
    """Return a recipe's text with some keys changed, each with a comment that says why.

    Comments, order and layout stay. Where the layout cannot take the change, the whole recipe is written anew, and
    its first line says so.

    Args:
        text: Of the recipe.
        changes: What to change; a new value of None takes the key out.
        wanted: What the result must load to.
    """
    try:
        document = tomlkit.parse(text)
        for change in changes:
            _apply(document, change)
        found = tomlkit.dumps(document)
        if _loads_to(found, wanted):
            return found
    except (TOMLKitError, TypeError, ValueError):
        pass  # a layout that cannot be kept
    reasons = "".join(f"# {change.path}: {why(change)}\n" for change in changes)
    return (
        f"# written anew: the layout of the original could not be kept\n{reasons}{dump_recipe(wanted, defaults=False)}"
    )


def unified_diff(before: str, after: str, old_name: str, new_name: str) -> str:
    """Return what changed, as ``diff -u`` would say it."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), old_name, new_name, lineterm="")
    return "".join(f"{line}\n" for line in lines)


def why(change: Change) -> str:
    """Return the reason of a change in a short line."""
    was = "not set" if change.old is None else f"was {_toml(change.old)}"
    reason = " ".join(change.why.split())
    cut = reason if len(reason) <= WHY_LENGTH else f"{reason[: WHY_LENGTH - 1].rstrip()}…"
    return f"{was}; {cut}" if cut else was


def _apply(document: Section, change: Change) -> None:
    *names, key = change.path.split(".")
    section = _section(document, names)
    if key == "name" and len(names) == 1:
        _drop_foreign(section, names[0], str(change.new))
    if key.isdigit():
        raise ValueError(change.path)
    if change.new is None:
        section.pop(key, None)
        return
    before = section.get(key)
    item = tomlkit.item(change.new)
    old = before.trivia.comment.removeprefix("#").strip() if isinstance(before, Item) else ""
    if isinstance(before, Item):
        item.trivia.indent, item.trivia.trail = before.trivia.indent, before.trivia.trail
    if not isinstance(section, InlineTable):  # which has no room for comments
        item.comment(f"{why(change)}{f' | {old}' if old else ''}")
        item.trivia.comment_ws = "  "
    section[key] = item


def _section(document: Section, names: Sequence[str]) -> Section:
    section = document
    for name in names:
        inner = section.get(name)
        if inner is None:
            inner = section.setdefault(
                name, tomlkit.inline_table() if isinstance(section, InlineTable) else tomlkit.table()
            )
        if not isinstance(inner, MutableMapping):
            raise ValueError(name)
        section = inner
    return section


def _drop_foreign(section: Section, name: str, component: str) -> None:
    """Take out keys that the new component does not have, as ``recipe.patch`` does."""
    model = component_model(name, component)
    if model is None or section.get("name") == component:
        return
    for key in [key for key in section if key not in model.model_fields]:
        del section[key]


def _loads_to(text: str, wanted: Recipe) -> bool:
    try:
        found = Recipe.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError):
        return False
    return found.model_dump() == wanted.model_dump()


def _toml(value: object) -> str:
    return tomlkit.item(value).as_string() if isinstance(value, str | int | float | bool | list) else str(value)
