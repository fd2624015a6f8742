"""A subject as something to examine: only what is built from a recipe or by a factory can be taken apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.profiling.settings import Subject

if TYPE_CHECKING:
    from dlcheck.checks.patient import Patient


def patient_of(subject: Subject) -> Patient | None:
    """Build what a recipe or factory names; None for scripts and modules, which only run as a whole.

    Raises:
        DlcheckError: it cannot be built; one line.
    """
    from dlcheck.checks.admit import admit_factory, admit_recipe
    from dlcheck.recipe import load_recipe

    if subject.kind == "recipe":
        return admit_recipe(load_recipe(subject.name, subject.changes), subject.device)
    if subject.kind == "factory":
        return admit_factory(subject.name, folder=Path.cwd(), seed=subject.seed or 0, device=subject.device)
    return None
