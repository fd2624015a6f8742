"""A recipe's text as a document: sections and values in it, with their comments and layout."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

import tomlkit
from tomlkit.items import AbstractTable, InlineTable, Item, Table

Section = MutableMapping[str, Any]


def section_of(document: Section, names: Sequence[str]) -> Section:
    """Return a section of a document or of a plain table, made where it is not there.

    Raises:
        ValueError: one of the names is that of a value.
    """
    section = document
    for depth, name in enumerate(names, start=1):
        inner = section.get(name)
        if inner is None:
            inner = section.setdefault(name, _empty(section))
        if not isinstance(inner, MutableMapping):
            raise ValueError(f"{'.'.join(names[:depth])} is a value, not a section")
        section = inner
    return section


def _empty(outer: Section) -> Section:
    if type(outer) is dict:
        return {}
    return tomlkit.inline_table() if isinstance(outer, InlineTable) else tomlkit.table()


def put(section: Section, key: str, value: object) -> None:
    """Set a key; its comment stays in its column, and a new key stands before what leads to the next section."""
    before, item = section.get(key), tomlkit.item(value)
    if isinstance(before, Item):
        old = before.trivia
        item.trivia.indent, item.trivia.trail = old.indent, old.trail
        item.trivia.comment_ws, item.trivia.comment = _gap(before, item), old.comment
    if key in section or not isinstance(section, Table):
        section[key] = item
    else:
        _append(section, key, item)


def _gap(before: Item, after: Item) -> str:
    """Return what stands between a value and its comment, so that the comment stays in its column."""
    gap = before.trivia.comment_ws
    old, new = before.as_string(), after.as_string()
    if len(gap) < 2 or gap.strip(" ") or "\n" in old:  # not set in a column
        return gap
    return " " * max(2, len(gap) + len(old) - len(new))


def _append(section: Table, key: str, item: Item) -> None:
    """Add a key at the end of a section, but above the blank lines and comments that lead to the next one."""
    own = [name for name, inner in section.items() if not isinstance(inner, AbstractTable)]
    insert = getattr(section.value, "_insert_after", None)  # tomlkit has no public way to a place
    if own and insert is not None:
        above = section.value.item(own[-1])
        item.trivia.indent = above.trivia.indent if isinstance(above, Item) else ""
        insert(own[-1], key, item)
    else:
        section.append(key, item)
