"""The best recipe as a file that trains as it is: the user's own text with other values in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from dlcheck.errors import DlcheckError, printable
from dlcheck.recipe import Recipe, dump_recipe
from dlcheck.recipe.load import parse_recipe

MARK = "# Written by dlcheck tune"


def recipe_of(text: str, params: Mapping[str, object]) -> Recipe:
    """Return a study's recipe with a trial's values, without what only the search is about.

    Raises:
        DlcheckError: the text is no recipe, or does not take the values.
    """
    from dlcheck.recipe.patch import patched

    whole = parse_recipe(text, "the study's recipe").recipe.model_dump(exclude_unset=True)
    bare = Recipe.model_validate({key: value for key, value in whole.items() if key not in ("tune", "search")})
    return patched(bare, params) if params else bare


def best_text(recipe: Recipe, source: str, provenance: Sequence[str]) -> str:
    """Return the TOML text of a recipe, by changing as little as possible of the text it was made from.

    Comments and the order of keys stay. Where that text cannot be brought to say exactly this recipe, the recipe is
    written anew, without its comments.

    Args:
        recipe: What the text must say.
        source: The user's own text.
        provenance: Lines for the comment at its head.
    """
    first, *more = map(printable, provenance)  # a line break would end the comment
    head = "\n".join([f"{MARK}: {first}", *(f"# {line}" for line in more)])
    body = _changed(recipe, source)
    if body is None:
        body = dump_recipe(recipe, defaults=False)
    return f"{head}\n\n{body.lstrip()}"


def _changed(recipe: Recipe, source: str) -> str | None:
    try:
        document = tomlkit.parse(_without_mark(source))
        _merge(document, _without_none(recipe.model_dump(mode="python", exclude_unset=True)))
        text = tomlkit.dumps(document)
        said = parse_recipe(text, "best.toml").recipe
    except (TOMLKitError, DlcheckError, KeyError, TypeError, ValueError):
        return None
    return text if said.model_dump() == recipe.model_dump() else None


def _merge(table: Any, wanted: Mapping[str, Any]) -> None:
    for key in [key for key in table if key not in wanted]:
        del table[key]
    for key, value in wanted.items():
        if key not in table:
            table[key] = value
        elif isinstance(value, Mapping) and isinstance(table[key], Mapping):
            _merge(table[key], value)
        elif not _same(table[key], value):
            table[key] = value


def _same(old: Any, new: Any) -> bool:
    plain = old.unwrap() if hasattr(old, "unwrap") else old
    return bool(plain == new) and isinstance(plain, bool) == isinstance(new, bool)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value


def _without_mark(source: str) -> str:
    """Return a text without the comment of an earlier search at its head."""
    lines = source.splitlines(keepends=True)
    if not source.startswith(MARK):
        return source
    end = next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[end:])
