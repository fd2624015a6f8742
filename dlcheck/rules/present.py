"""The recipe of a run as remedies look at it: what stands in it, what its components have, and what they default to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from dlcheck.runs import Run
from dlcheck.runs.facts import WeightsMoving, fact

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

CLASS_DATA = frozenset({"digits", "iris", "wine", "breast_cancer", "blobs", "moons", "circles"}) | {
    "torchvision",
    "image_folder",
}
"""Data whose labels are classes, whatever the recipe says."""
NUMBER_DATA = frozenset({"diabetes", "linear", "time_series"})
"""Data whose labels are numbers."""
IMAGE_DATA = frozenset({"digits", "torchvision", "image_folder", "digit_captions"})
"""Data that is images."""
TRAINED = frozenset({"data", "augment", "model", "init", "loss", "optimizer", "schedule", "regularize", "train"})
"""Sections that training reads."""


class Present:
    """A recipe's values with the defaults of its components; it need not be complete."""

    def __init__(self, recipe: Mapping[str, object], steps: int | None = None) -> None:
        self.recipe = recipe
        self.steps = steps
        """Optimizer steps that were made, where that is known."""
        self._components: dict[str, type[BaseModel] | None] = {}

    def known(self, path: str) -> bool:
        """Return whether the recipe tells which component the section has, so that its keys are known."""
        section = path.partition(".")[0]
        return section not in TRAINED or self._component(section) is not None

    def has(self, path: str) -> bool:
        """Return whether the recipe's component has such a key; True for sections that training does not read."""
        if path.partition(".")[0] not in TRAINED:
            return True
        return self._field(path) is not None or self._written(path) is not None

    def value(self, path: str) -> object:
        """Return the value in force, the default where the recipe sets none; None where there is no such key.

        ``task`` and ``images`` are none of a recipe's keys: what the data holds, ``classification``, ``regression`` or
        ``unknown``, and whether it is images, True, False or None.
        """
        if path in ("task", "images"):
            return self._task() if path == "task" else self._images()
        written = self._written(path)
        return self.default(path) if written is None else written

    def default(self, path: str) -> object:
        """Return what the key is where a recipe does not set it; None where there is no such key, or no default."""
        from dlcheck.recipe.recipe import DEFAULT_NAMES

        section, _, key = path.partition(".")
        if key == "name":
            return DEFAULT_NAMES.get(section)
        field = self._field(path)
        if field is None or field.is_required():
            return None
        return field.get_default(call_default_factory=True, validated_data={})

    def is_set(self, path: str) -> bool:
        """Return whether the recipe sets the key to something else than its default."""
        written = self._written(path)
        return written is not None and not same(written, self.default(path))

    def _written(self, path: str) -> object:
        value: object = self.recipe
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def _field(self, path: str) -> FieldInfo | None:
        section, *keys = path.split(".")
        if section not in TRAINED:
            return None
        model: Any = self._component(section)
        field: FieldInfo | None = None
        for key in keys:
            field = getattr(model, "model_fields", {}).get(key)
            model = field.annotation if field is not None else None
        return field

    def _component(self, section: str) -> type[BaseModel] | None:
        if section not in self._components:
            self._components[section] = self._look_up(section)
        return self._components[section]

    def _look_up(self, section: str) -> type[BaseModel] | None:
        from dlcheck.recipe.override import component_models
        from dlcheck.recipe.recipe import DEFAULT_NAMES, Recipe

        models = component_models(section)
        if not models:
            field = Recipe.model_fields.get(section)
            found: Any = field.annotation if field else None
            return cast("type[BaseModel] | None", found)
        table = self.recipe.get(section)
        written = table if isinstance(table, Mapping) else {}
        name = "custom" if "target" in written else written.get("name", DEFAULT_NAMES.get(section))
        return models.get(str(name))

    def _task(self) -> str:
        told, name = self.value("data.task"), self._written("data.name")
        if told in ("classification", "regression"):
            return str(told)
        if told == "reconstruction":
            return "unknown"
        return "classification" if name in CLASS_DATA else "regression" if name in NUMBER_DATA else "unknown"

    def _images(self) -> bool | None:
        name = self._written("data.name")
        return None if name in (None, "custom", "arrays") else name in IMAGE_DATA


def present(run: Run) -> Present | None:
    """Return the run's recipe, None where it has none."""
    recipe = run.meta.get("recipe")
    if not isinstance(recipe, Mapping) or not recipe:
        return None
    moving = fact(run, WeightsMoving)
    return Present(recipe, moving.steps if moving is not None else None)


def same(one: object, other: object) -> bool:
    """Return whether two values of a recipe are one: 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)
