"""The cured recipe as a file: the user's own text, with other values in it and the reason above each."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

from dlcheck.errors import printable
from dlcheck.recipe import Recipe, dump_recipe
from dlcheck.recipe.document import Section, put, section_of
from dlcheck.recipe.location import find_line
from dlcheck.recipe.override import drop_foreign
from dlcheck.recipe.patch import value_at
from dlcheck.report.treated import Change

WIDTH = 118
"""Characters of a line with a reason, at most."""
ANEW = "# Written anew by dlcheck treat, without the comments: the layout of the original could not be kept"
MARK = "# dlcheck treat: "
NO_END = "\n\\ No newline at end of file\n"


def cured_text(text: str, changes: Sequence[Change], wanted: Recipe) -> str:
    """Return a recipe's text with some keys changed, above each a comment that says what it was and why it changed.

    Comments, order and layout stay as they are. Where that text cannot be brought to say exactly the wanted recipe, it
    is written anew, and its first line says so.

    Args:
        text: Of the recipe.
        changes: What to change, in this order; a new value of None takes the key out.
        wanted: What the result must load to.
    """
    last = list({change.path: change for change in changes}.values())
    said = _said(text)
    body = _changed(text, changes, wanted)
    if body is not None:
        return _commented(body, last, said)
    return f"{ANEW}\n\n{_commented(dump_recipe(wanted, defaults=False), last, said)}"


def unified_diff(before: str, after: str, old_name: str, new_name: str) -> str:
    """Return what changed, as ``diff -u`` would say it and ``patch`` takes it; empty where nothing did."""
    lines = difflib.unified_diff(_lines(before), _lines(after), old_name, new_name)
    return "".join(line if line.endswith("\n") else f"{line}{NO_END}" for line in lines)


def why(change: Change, was: object = None) -> str:
    """Return what a key was and why it changed, in a short line.

    Args:
        change: Of the key.
        was: Its value in the original text; None: it is not there, and the change tells what it was.
    """
    old = was if was is not None else change.old
    told = "was not set" if old is None else f"was {_toml(old)}"
    reason = printable(" ".join(change.why.split()))
    return f"{told}; {reason}" if reason else told


def _changed(text: str, changes: Sequence[Change], wanted: Recipe) -> str | None:
    """Return the text with the values in it, None where it would not load to the wanted recipe."""
    try:
        document = tomlkit.parse(text)
        for change in changes:
            _apply(document, change, wanted)
        found = tomlkit.dumps(document)
    except (TOMLKitError, TypeError, ValueError, KeyError):
        return None
    return found if _loads_to(found, wanted) else None


def _apply(document: Section, change: Change, wanted: Recipe) -> None:
    path, value = change.path, change.new
    parent, _, end = path.rpartition(".")
    if end.isdigit():  # an entry of a list, which may not be in the text at all
        path, value = parent, value_at(wanted, parent)  # type: ignore[assignment]
    *names, key = path.split(".")
    section = section_of(document, names)
    if key == "name" and len(names) == 1:
        drop_foreign(document, names[0], str(value))
    if value is None:
        section.pop(key, None)
    else:
        put(section, key, value)


def _commented(text: str, changes: Sequence[Change], said: Mapping[str, Any]) -> str:
    """Return the text with the reason of each change above its key, or above the section that holds it."""
    meaning = _said(text)
    for change in changes:
        reason = why(change, _value(said, change.path))
        tried = _with_reason(text, change, reason, find_line(text, tuple(change.path.split("."))) or 1)
        # A line of a longer string takes no comment; the head of the file does.
        text = tried if _said(tried) == meaning else _with_reason(text, change, reason, 1)
    return text


def _with_reason(text: str, change: Change, reason: str, number: int) -> str:
    lines = _lines(text)
    found = lines[number - 1] if lines else ""
    indent = found[: len(found) - len(found.lstrip(" \t"))]
    end = "\r\n" if found.endswith("\r\n") else "\n"
    exact = found.partition("=")[0].strip().rpartition(".")[2] == change.path.rpartition(".")[2]
    comment = f"{MARK}{'' if exact else f'{change.path} '}{reason}"
    if len(comment) + len(indent) > WIDTH:
        comment = f"{comment[: WIDTH - len(indent) - 1].rstrip()}…"
    lines.insert(number - 1, f"{indent}{comment}{end}")
    return "".join(lines)


def _loads_to(text: str, wanted: Recipe) -> bool:
    try:
        found = Recipe.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValidationError):
        return False
    return found.model_dump() == wanted.model_dump()


def _said(text: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _value(content: Mapping[str, Any], path: str) -> object:
    value: Any = content
    for part in path.split("."):
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, Mapping):
            value = value.get(part)
        else:
            return None
    return value


def _lines(text: str) -> list[str]:
    """Return the lines with their ends; only a line feed ends one."""
    return list(_split(text))


def _split(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _toml(value: object) -> str:
    return tomlkit.item(value).as_string() if isinstance(value, str | int | float | bool | list) else str(value)
