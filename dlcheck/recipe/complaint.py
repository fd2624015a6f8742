"""A schema error as one line: file, line, key, what was found, what would be valid."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dlcheck.errors import nearest
from dlcheck.recipe.location import find_line
from dlcheck.recipe.recipe import Recipe
from dlcheck.recipe.tune import SearchEntry


def complain(error: ValidationError, text: str, origin: str, overridden: Iterable[tuple[str, ...]] = ()) -> str:
    """Return one line for the most telling error.

    ``text`` is the recipe's source, ``origin`` its name; keys in ``overridden`` came from the command line.
    """
    errors = sorted(error.errors(include_url=False), key=_rank)
    path = _toml_path(errors[0])
    where = place(path, text, origin, overridden)
    # A key of several types fails once for each of them: every reason names one way to be right.
    alternatives = dict.fromkeys(_reason(item, path) for item in errors if _toml_path(item) == path)
    found = f"found {_short(errors[0]['input'])}; " if errors[0]["type"] not in _TOLD else ""
    others = len({_toml_path(item) for item in errors}) - 1
    more = f" (and {others} more)" if others else ""
    return f"{where}: {'.'.join(path) or 'recipe'}: {found}{', or '.join(alternatives)}{more}"


def place(path: tuple[str, ...], text: str, origin: str, overridden: Iterable[tuple[str, ...]]) -> str:
    """Return the line of the recipe that sets a path, or ``--set`` for one that came from the command line."""
    if path and any(path == key[: len(path)] for key in overridden):
        return "--set"
    line = find_line(text, path)
    return f"{origin}, line {line}" if line else origin


_TOLD = ("extra_forbidden", "union_tag_invalid", "union_tag_not_found", "missing")


def _short(value: object, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _rank(details: ErrorDetails) -> int:
    # A misspelt key is usually the reason why another is missing: tell it first.
    order = ["extra_forbidden", "union_tag_invalid", "missing"]
    return order.index(details["type"]) if details["type"] in order else 1


def _toml_path(details: ErrorDetails) -> tuple[str, ...]:
    """Drop what pydantic adds to the path of keys: tags of components, branches of unions."""
    if details["loc"][:1] == ("search",) and len(details["loc"]) > 1:
        return _search_path(details["loc"])
    walked = _walk(details["loc"], unknown=details["type"] == "extra_forbidden")
    path = [str(part) for part, owner in walked if owner or isinstance(part, int)]
    if details["type"].startswith("union_tag"):
        path.append("name")
    return tuple(path)


def _search_path(loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """Return the path of an error in ``[search]``, whose keys are themselves paths, and entries lists inside."""
    key = next((part for part in loc[3:] if part in SearchEntry.model_fields), None)
    unknown = loc[3] if len(loc) == 4 else key
    return ("search", *str(loc[1]).split("."), *([str(unknown)] if unknown is not None else []))


def _walk(loc: tuple[int | str, ...], *, unknown: bool = False) -> Iterator[tuple[int | str, type[BaseModel] | None]]:
    """Yield each part of a location with the model that owns it, None when no model has such a key.

    ``unknown`` says that the last part is a key which its model does not have, however it is spelled.
    """
    models: list[type[BaseModel]] = [Recipe]
    for index, part in enumerate(loc):
        owner = next((m for m in models if isinstance(part, str) and part in m.model_fields), None)
        if owner is not None:
            yield part, owner
            models = list(_models_in(owner.model_fields[str(part)].annotation))
            continue
        tagged = [m for m in models if _is_tag(m, part)]
        if tagged:
            models = tagged
            yield part, None
        elif index == len(loc) - 1 and models and isinstance(part, str) and (unknown or part.isidentifier()):
            yield part, models[0]  # an unknown key
        else:
            yield part, None


def _is_tag(model: type[BaseModel], part: int | str) -> bool:
    field = model.model_fields.get("name")
    return field is not None and part in getattr(field.annotation, "__args__", ())


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def _reason(details: ErrorDetails, path: tuple[str, ...]) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key; {nearest(path[-1], _valid_keys(details['loc']), 'valid keys')}"
    if kind == "union_tag_invalid":
        tags = [tag.strip().strip("'") for tag in str(context["expected_tags"]).split(",")]
        return f"no such component {context['tag']!r}; {nearest(str(context['tag']), tags)}"
    if kind in ("missing", "union_tag_not_found"):
        return "this key is required"
    return details["msg"].removeprefix("Input ").removeprefix("Value error, ")


def _valid_keys(loc: tuple[int | str, ...]) -> list[str]:
    owner: type[BaseModel] | None = None
    for _, model in _walk(loc, unknown=True):
        owner = model or owner
    return list(owner.model_fields) if owner else []
