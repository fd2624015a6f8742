"""A remedy as a rule writes it down: in terms of any recipe, with its conditions, before it meets one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dlcheck.findings import Effect, Remedy
from dlcheck.rules.present import Present, present, same
from dlcheck.runs import Run

MOST = 4
"""Remedies of a finding that a reader still reads."""
LARGEST = 1e300
"""Numbers from there on are not multiplied: no key of a recipe is meant to be as large."""
RATE = "optimizer.lr"
"""The key whose value the learning-rate range test finds."""


@dataclass(frozen=True, slots=True)
class Prescription:
    """One remedy, before it meets a recipe."""

    text: str
    patch: Mapping[str, object] = field(default_factory=dict)
    """New values by path; a text as ``*0.1`` multiplies the present one (each of a list)."""
    unless: tuple[str, ...] = ()
    """Keys that the recipe sets to something else than their default already; then this is no remedy."""
    only_if: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    """Values that a key must have, or ``task`` or ``images`` of the data (see ``Present.value``)."""
    expects: tuple[Effect, ...] = ()
    search: str = ""
    """As ``Remedy.search``."""
    hides: str = ""
    """As ``Remedy.hides``."""

    @property
    def settings(self) -> str:
        """The patch for a reader, as ``optimizer.lr *0.1, schedule.warmup = 1.0``; empty without one."""
        parts = (f"{path} {value}" if factor(value) else f"{path} = {value}" for path, value in self.patch.items())
        return ", ".join(parts)


def prescribed(run: Run, *prescriptions: Prescription) -> tuple[Remedy, ...]:
    """Return those prescriptions that suit the run, in words alone where it has no recipe."""
    recipe = present(run)
    found = (resolved(prescription, recipe) for prescription in prescriptions)
    return tuple(remedy for remedy in found if remedy is not None)


def resolved(prescription: Prescription, recipe: Present | None) -> Remedy | None:
    """Return the prescription for a recipe, with absolute values; None where the recipe does not suit it.

    It does not when a condition fails, when a component lacks a key, or when all is set like that already. Where the
    recipe does not tell (a section is missing), the words stand alone.
    """
    words = Remedy(prescription.text, expects=prescription.expects, hides=prescription.hides)
    if recipe is None:
        return None if "images" in prescription.only_if else words  # of a log nobody knows what its data is
    if not prescription.patch:
        return words if _suits(prescription, recipe) else None
    if not all(recipe.known(path) for path in prescription.patch):
        return words
    if not _suits(prescription, recipe) or not all(recipe.has(path) for path in prescription.patch):
        return None
    values = {path: absolute(value, recipe.value(path)) for path, value in prescription.patch.items()}
    if any(value is None for value in values.values()):
        return None
    patch = {path: value for path, value in values.items() if not same(value, recipe.value(path))}
    if not patch:
        return None
    search = prescription.search if prescription.search in patch else ""
    return Remedy(prescription.text, patch, prescription.expects, search, prescription.hides)


def fitting(remedy: Remedy, recipe: Present | None) -> Remedy | None:
    """Return a rule's own remedy without keys that the recipe's components lack or that are set like that already.

    None where it had a patch and nothing of it is left, since it changes nothing.
    """
    if recipe is None or not remedy.patch:
        return remedy
    patch = {path: value for path, value in remedy.patch.items() if _changes(recipe, path, value)}
    if len(patch) == len(remedy.patch):
        return remedy
    if not patch:
        return None if all(recipe.known(path) for path in remedy.patch) else Remedy(remedy.text)
    return Remedy(remedy.text, patch, remedy.expects, remedy.search if remedy.search in patch else "", remedy.hides)


def chosen(remedies: Iterable[Remedy]) -> tuple[Remedy, ...]:
    """Return the first few of several remedies; what says or sets the same as an earlier one is left out."""
    kept: list[Remedy] = []
    for remedy in remedies:
        twice = any(remedy.text == one.text or (remedy.patch and dict(one.patch) == dict(remedy.patch)) for one in kept)
        if not twice:
            kept.append(remedy)
    return tuple(kept[:MOST])


def factor(value: object) -> float | None:
    """Return the factor that a relative value as ``*0.1`` multiplies by, None for an absolute one."""
    if not isinstance(value, str) or not value.startswith("*"):
        return None
    return float(value[1:])


def absolute(value: object, now: object) -> object:
    """Return a value of a patch as the recipe takes it, None where there is nothing to multiply.

    Floats keep two digits; whole numbers stay whole, and at least 1.
    """
    times = factor(value)
    if times is None:
        return value
    if isinstance(now, list):
        items = [absolute(value, item) for item in now]
        return None if not items or None in items else items
    if isinstance(now, bool) or not isinstance(now, int | float) or not abs(now) < LARGEST:
        return None
    if isinstance(now, int):
        return max(1, round(now * times))
    product = float(f"{now * times:.2g}")
    return product if math.isfinite(product) and product > 0 else None


def _suits(prescription: Prescription, recipe: Present) -> bool:
    if any(recipe.is_set(path) for path in prescription.unless):
        return False
    # A value that the recipe does not tell is no reason against a remedy in words, but it is against a patch.
    values = ((recipe.value(path), allowed) for path, allowed in prescription.only_if.items())
    return all(value in allowed or (value is None and not prescription.patch) for value, allowed in values)


def _changes(recipe: Present, path: str, value: object) -> bool:
    return recipe.known(path) and recipe.has(path) and not same(value, recipe.value(path))
