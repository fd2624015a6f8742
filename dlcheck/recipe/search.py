"""Whether ``[search]`` fits the recipe it stands in: paths, types, conditions."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from dlcheck.errors import DlcheckError, nearest
from dlcheck.recipe.override import component_models
from dlcheck.recipe.patch import patched, value_at
from dlcheck.recipe.recipe import Recipe
from dlcheck.recipe.section import Custom
from dlcheck.recipe.tune import SearchEntry

SECTIONS = ("data", "augment", "model", "init", "loss", "optimizer", "schedule", "regularize", "train")
NEVER = {
    "train.epochs": "how long to train is no question for a search: train as long as it pays (C411, C412)",
    "train.max_steps": "how long to train is no question for a search: train as long as it pays (C411, C412)",
    "train.seed": "the best of many seeds is luck; --confirm trains the best trials with several",
    "train.monitor": "it decides what is measured",
    "data.name": "trials on different data cannot be compared",
    "data.split": "trials on different splits cannot be compared",
    "data.limit": "trials on different amounts of data cannot be compared",
    "optimizer.groups": "a list of tables cannot be searched",
}
"""Keys that a search must not touch, and why."""


class SearchFault(Exception):
    """A fault in ``[search]``, with the key at fault."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(reason)
        self.path, self.reason = path, reason


def check_search(recipe: Recipe) -> None:
    """Hold ``[search]`` against the recipe.

    Raises:
        SearchFault: an unknown path, a condition that cannot hold, a cycle, or a value that the schema refuses.
    """
    search = recipe.search or {}
    for path in search:
        _check_path(path)
    _check_conditions(search)
    for path in search:
        _refuse_cycle(path, search, ())
    for path, entries in search.items():
        _refuse_overlap(path, entries)
        for entry in entries:
            for condition in contexts(path, entry, search):
                _check_component(recipe, path, entry, condition)
                _check_values(recipe, path, entry, condition)


def contexts(path: str, entry: SearchEntry, search: Mapping[str, list[SearchEntry]]) -> Iterator[dict[str, object]]:
    """Yield values of other searched keys under which an entry may be searched: one for each component it meets."""
    wanted: dict[str, object] = {}
    for parent, values in entry.conditions.items():
        for known in search[parent]:
            wanted |= next(contexts(parent, known, search))
        wanted[parent] = values[0]
    section = path.split(".")[0]
    chooser = f"{section}.name"
    if path == chooser or chooser not in search:
        yield wanted
        return
    allowed = entry.conditions.get(chooser)
    for chosen in search[chooser]:
        for name in chosen.choice or []:
            if allowed is None or name in allowed:
                yield {**wanted, chooser: name}


def _check_path(path: str) -> None:
    section, _, rest = path.partition(".")
    if section not in SECTIONS:
        raise SearchFault(path, f"no such section {section!r}; {nearest(section, SECTIONS, 'sections')}")
    if not rest:
        raise SearchFault(path, f"a whole section cannot be searched; name a key of it, as {section}.name")
    for key, why in NEVER.items():
        if path == key or path.startswith(f"{key}."):
            raise SearchFault(path, f"this key cannot be searched: {why}")


def _check_conditions(search: Mapping[str, list[SearchEntry]]) -> None:
    for path, entries in search.items():
        for entry in entries:
            for parent, values in entry.conditions.items():
                if parent not in search:
                    raise SearchFault(
                        path, f"when: {parent} is not searched itself; {nearest(parent, search, 'searched keys')}"
                    )
                _check_condition(path, parent, values, search[parent])


def _check_condition(path: str, parent: str, values: tuple[object, ...], entries: list[SearchEntry]) -> None:
    if any(entry.kind not in ("choice", "int", "pow2") for entry in entries):
        raise SearchFault(path, f"when: {parent} is a range; conditions need a choice, int or pow2")
    for value in values:
        if not any(_takes(entry, value) for entry in entries):
            known = [str(item) for entry in entries for item in entry.choice or getattr(entry, entry.kind)]
            raise SearchFault(path, f"when: {parent} is never {value!r}; {nearest(str(value), known, 'its values')}")


def _takes(entry: SearchEntry, value: object) -> bool:
    if entry.choice is not None:
        return any(value == item and type(value) is type(item) for item in entry.choice)
    low, high = getattr(entry, entry.kind)
    fits = isinstance(value, int) and low <= value <= high
    return fits and (entry.kind == "int" or not int(str(value)) & (int(str(value)) - 1))


def _refuse_cycle(path: str, search: Mapping[str, list[SearchEntry]], above: tuple[str, ...]) -> None:
    if path in above:
        ring = " → ".join([*above[above.index(path) :], path])
        raise SearchFault(path, f"when: these conditions go round in a circle: {ring}")
    for entry in search[path]:
        for parent in entry.conditions:
            _refuse_cycle(parent, search, (*above, path))


def _refuse_overlap(path: str, entries: list[SearchEntry]) -> None:
    for index, entry in enumerate(entries):
        for other in entries[index + 1 :]:
            shared = entry.conditions.keys() & other.conditions.keys()
            if not any(set(entry.conditions[key]).isdisjoint(other.conditions[key]) for key in shared):
                raise SearchFault(path, "two entries may hold at once; give each its own when")


def _check_component(recipe: Recipe, path: str, entry: SearchEntry, context: Mapping[str, object]) -> None:
    """Refuse a key that the schema does not have, for the component that the recipe or the context names."""
    section, *keys = path.split(".")
    name = str(context.get(f"{section}.name", value_at(recipe, f"{section}.name")))
    components = component_models(section)
    owner: Any = components.get(name) if components else type(getattr(recipe, section))
    if owner is None:
        return  # the schema itself refuses such a name, with the nearest
    for depth, key in enumerate(keys):
        if key.isdigit() and depth:
            return
        if key not in owner.model_fields:
            if issubclass(owner, Custom):
                return
            raise SearchFault(path, _unknown(path, key, owner, name if components else "", f"{section}.name", context))
        inner = [
            model
            for model in (owner.model_fields[key].annotation, *get_args(owner.model_fields[key].annotation))
            if isinstance(model, type) and issubclass(model, BaseModel)
        ]
        if not inner:
            return
        owner = inner[0]


def _unknown(
    path: str, key: str, owner: type[BaseModel], name: str, chooser: str, context: Mapping[str, object]
) -> str:
    hint = nearest(key, owner.model_fields, "valid keys")
    if not name:
        return f"no such key; {hint}"
    if chooser in context:
        return f'{name} has no such key; say when = {{ "{chooser}" = [...] }} with those that have it, or {hint}'
    return f"{name} has no such key; {hint}"


def _check_values(recipe: Recipe, path: str, entry: SearchEntry, context: Mapping[str, object]) -> None:
    if entry.kind == "times":
        _check_times(recipe, path)
    for value in _extremes(recipe, path, entry):
        try:
            patched(recipe, {**context, path: value})
        except DlcheckError as error:
            raise SearchFault(path, f"{value!r} would not be valid there: {error}") from None


def _check_times(recipe: Recipe, path: str) -> None:
    value = value_at(recipe, path)
    if value is None:
        return  # another component's key: its own default is what the factor multiplies
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise SearchFault(path, f"times multiplies the recipe's own value, and {value!r} is no number above 0")


def _extremes(recipe: Recipe, path: str, entry: SearchEntry) -> list[object]:
    if entry.choice is not None:
        return list(entry.choice)
    low, high = getattr(entry, entry.kind)
    zero: list[object] = [0 if entry.kind in ("int", "pow2") else 0.0] if entry.or_zero else []
    if entry.kind == "times":
        value = value_at(recipe, path)
        return zero + ([low * value, high * value] if isinstance(value, int | float) else [])
    return [*zero, low, high]
