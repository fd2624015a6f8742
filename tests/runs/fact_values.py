"""Values for every field of every fact with parts, drawn by its type."""

import dataclasses
import types
import typing
from typing import Any

from hypothesis import strategies as st

from dlcheck.runs import facts
from dlcheck.runs.facts import Fact, Site

KINDS: list[type[Fact]] = sorted(
    (
        kind
        for name in facts.__all__
        if isinstance(kind := getattr(facts, name), type) and issubclass(kind, Fact) and kind is not Fact
    ),
    key=lambda kind: kind.NAME,
)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(-(2**40), 2**40),
    float: st.floats(),
    str: st.text(max_size=8),
    types.NoneType: st.none(),
    Site: st.builds(Site, st.text(max_size=8), st.integers(0, 9999)),
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for values of a field's type."""
    if annotation in PLAIN:
        return PLAIN[annotation]
    if dataclasses.is_dataclass(annotation):
        return records(annotation)
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple and parts[-1] is Ellipsis:
        return st.lists(values(parts[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(part) for part in parts))
    assert origin in (types.UnionType, typing.Union), annotation
    return st.one_of(*(values(part) for part in parts))


def records(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for facts of a kind, all fields filled."""
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: values(hints[field.name]) for field in dataclasses.fields(kind)})


RECORDS: dict[str, st.SearchStrategy[Any]] = {kind.NAME: records(kind) for kind in KINDS}
"""A strategy for each kind of fact, by its name."""
