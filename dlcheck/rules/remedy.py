"""Remedies that rules name for one run, with a patch where the recipe's present value is known."""

from collections.abc import Mapping

from dlcheck.findings import Remedy
from dlcheck.rules.prescription import prescribed
from dlcheck.rules.prescriptions import rate
from dlcheck.runs import Run


def recipe_value(run: Run, section: str, key: str) -> object:
    """Return a value of the run's recipe, None when there is no recipe or no such key."""
    recipe = run.meta.get("recipe")
    table = recipe.get(section) if isinstance(recipe, Mapping) else None
    return table.get(key) if isinstance(table, Mapping) else None


def scaled_lr(run: Run, factor: float) -> Remedy:
    """Return the remedy to multiply the learning rate, patched to two digits when the recipe tells it."""
    (remedy,) = prescribed(run, rate(factor)) or (Remedy(rate(factor).text),)
    return remedy


def patched(run: Run, text: str, patch: Mapping[str, object]) -> Remedy:
    """Return a remedy with its patch, without it when the run has no recipe to patch."""
    return Remedy(text, dict(patch) if run.meta.get("recipe") else {})
