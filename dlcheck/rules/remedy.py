"""Remedies that several rules prescribe, with a patch where the recipe's present value is known."""

from collections.abc import Mapping

from dlcheck.findings import Remedy
from dlcheck.runs import Run


def recipe_value(run: Run, section: str, key: str) -> object:
    """Return a value of the run's recipe, None when there is no recipe or no such key."""
    recipe = run.meta.get("recipe")
    table = recipe.get(section) if isinstance(recipe, Mapping) else None
    return table.get(key) if isinstance(table, Mapping) else None


def scaled_lr(run: Run, factor: float) -> Remedy:
    """Return the remedy to multiply the learning rate, patched to two digits when the recipe tells it."""
    verb = "lower" if factor < 1 else "raise"
    text = f"{verb} the learning rate to {factor:g} times its value"
    lr = recipe_value(run, "optimizer", "lr")
    if not isinstance(lr, int | float) or isinstance(lr, bool):
        return Remedy(text)
    return Remedy(text, {"optimizer.lr": float(f"{lr * factor:.2g}")})


def patched(run: Run, text: str, patch: Mapping[str, object]) -> Remedy:
    """Return a remedy with its patch, without it when the run has no recipe to patch."""
    return Remedy(text, dict(patch) if run.meta.get("recipe") else {})
