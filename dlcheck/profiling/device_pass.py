"""Memory by cause and what the device reaches, of a training whose model can be had: a recipe's or a factory's."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from dlcheck.checks.admit import admit_factory, admit_recipe
from dlcheck.checks.memory import measure_memory
from dlcheck.checks.patient import Patient
from dlcheck.checks.state import untouched
from dlcheck.profiling.rows import StepRow
from dlcheck.profiling.settings import Subject
from dlcheck.recipe import load_recipe
from dlcheck.runs.facts import Fact


def examine_device(subject: Subject, rows: Sequence[StepRow]) -> tuple[Fact, ...]:
    """Return ``MemoryNeed`` and what is known of the device.

    Args:
        subject: A recipe or a factory.
        rows: Steps of the training as it is.

    Raises:
        DlcheckError: it cannot be built.
    """
    # What the user's code prints would spoil a report on standard output.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patient = _admitted(subject)
        with untouched(patient):
            return measure_memory(patient).facts


def _admitted(subject: Subject) -> Patient:
    if subject.kind == "factory":
        return admit_factory(subject.name, folder=Path.cwd(), seed=subject.seed or 0, device=subject.device)
    seed = [] if subject.seed is None else [f"train.seed={subject.seed}"]
    return admit_recipe(load_recipe(subject.name, [*subject.overrides, *seed]), subject.device)
