"""The exam that a treatment begins with, and what it refuses."""

from __future__ import annotations

from dlcheck.checks.admit import admit_recipe
from dlcheck.checks.examine import examine
from dlcheck.diagnosis.settings import Settings
from dlcheck.errors import DlcheckError
from dlcheck.monitor.record import Record
from dlcheck.recipe import LoadedRecipe
from dlcheck.runs import Run

EXAM_S = 12.0
"""Seconds for the exam; the training shows the rest."""


def examined(loaded: LoadedRecipe, *, device: str, settings: Settings) -> Run:
    """Return what the exam before training measures, in ``EXAM_S`` seconds at most."""
    record = Record(None)
    examine(admit_recipe(loaded, device), record=record, settings=settings, limit_s=EXAM_S)
    return record.run()


def refuse_untreatable(loaded: LoadedRecipe) -> None:
    """Refuse what cannot be compared, before any work is done for it.

    Raises:
        DlcheckError: a recipe that cross-validates, or has no validation data.
    """
    split = loaded.recipe.data.split
    if split.folds is not None:
        raise DlcheckError(
            "data.split.folds: dlcheck treat compares single trainings; leave it out, or --set data.split.folds none"
        )
    if split.val == 0:
        raise DlcheckError("data.split.val: dlcheck treat compares on validation data; give it a share above 0")
