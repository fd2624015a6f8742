"""Transforms that have a name of their own, timed where a data set keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from dlcheck.profiling.recorder import RECORDER
from dlcheck.profiling.stand_in import StandIn

WITHIN = ("dataset", "samples", "datasets", "data")
"""Attributes in which wrappers of data sets keep what they wrap."""
DEEPEST = 8
"""Wrappers around one another that are looked into."""
SINGLE = ("transform", "transforms", "target_transform", "preprocess", "augment", "augmentation", "aug")
"""Attributes that hold one transform, or a list of them."""
INNER = (*WITHIN, "function")
OTHERS = ("builtins", "torch", "numpy")
"""Modules whose objects are data, not data sets."""


class Timed(StandIn):
    """Stands for a transform, and adds up its seconds under its name."""

    __slots__ = ("_dlcheck_name",)

    def __init__(self, inner: Any, name: str) -> None:
        super().__init__(inner)
        object.__setattr__(self, "_dlcheck_name", name)

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Transform a sample."""
        began = perf_counter()
        try:
            return self._dlcheck_inner(*args, **named)
        finally:
            sums, name = RECORDER.transforms, self._dlcheck_name
            sums[name] = sums.get(name, 0.0) + perf_counter() - began

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return Timed, (self._dlcheck_inner, self._dlcheck_name)


def time_transforms(dataset: Any) -> tuple[str, ...]:
    """Let the named transforms of a data set be timed, and return their names.

    Those of torchvision's compositions (both versions) and of any other that keeps them in a list ``transforms`` are
    timed one by one, others as a whole. Where an attribute cannot be replaced, nothing is timed.
    """
    names: dict[str, None] = {}
    for part in _parts(dataset, DEEPEST):
        for attribute, value in list(getattr(part, "__dict__", {}).items()):
            names.update(dict.fromkeys(_time_attribute(part, attribute, value)))
    return tuple(names)


def _parts(dataset: Any, depth: int) -> Iterator[Any]:
    """Yield a data set and what it wraps."""
    yield dataset
    if not depth:
        return
    for name in INNER:
        inner = getattr(dataset, "__dict__", {}).get(name, None)
        if inner is None:
            inner = _slot(dataset, name)
        for one in inner if isinstance(inner, list | tuple) and len(inner) <= DEEPEST else [inner]:
            if one is not None and type(one).__module__ not in OTHERS:
                yield from _parts(one, depth - 1)


def _slot(dataset: Any, name: str) -> Any:
    return getattr(dataset, name, None) if name in getattr(type(dataset), "__slots__", ()) else None


def _time_attribute(owner: Any, attribute: str, value: Any) -> list[str]:
    if _is_composition(value):
        return _time_list(value)
    if attribute not in SINGLE or not callable(value) or type(value) is Timed or _holds_transforms(value):
        return []
    name = name_of(value)
    try:
        setattr(owner, attribute, Timed(value, name))
    except Exception:  # a module that takes only modules, a frozen data class: left as it is
        return []
    return [name]


def _is_composition(value: Any) -> bool:
    if type(value).__module__.startswith("albumentations"):
        return False  # hands its transforms keyword by keyword, and looks into them
    inner = getattr(value, "__dict__", {}).get("transforms")
    return callable(value) and isinstance(inner, list) and bool(inner) and all(callable(one) for one in inner)


def _holds_transforms(value: Any) -> bool:
    """Return whether it is torchvision's pair of a transform and one of the target, which are timed by themselves."""
    return type(value).__name__ == "StandardTransform"


def _time_list(composition: Any) -> list[str]:
    names: list[str] = []
    transforms: list[Any] = composition.transforms
    for place, one in enumerate(transforms):
        if type(one) is Timed:
            names.append(one._dlcheck_name)
        elif _is_composition(one):
            names += _time_list(one)
        elif callable(one):
            names.append(name_of(one))
            transforms[place] = Timed(one, names[-1])
    return names


def name_of(transform: Any) -> str:
    """Return what a person calls a transform: its class, or the function that it is or applies."""
    function = getattr(transform, "lambd", None) or getattr(transform, "func", None) or transform
    own = getattr(function, "__name__", None)
    if own is not None and own != "<lambda>":
        return str(own)
    return type(transform).__name__ if own is None or function is not transform else "lambda"
