"""``dlcheck check``: from what was asked to a judged report."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dlcheck.checks.admit import admit_factory, admit_recipe
from dlcheck.checks.examine import LIMIT_S, Listener, examine
from dlcheck.checks.patient import Patient
from dlcheck.diagnosis.settings import Settings, project_settings, refuse_unknown
from dlcheck.errors import DlcheckError
from dlcheck.monitor.record import Record
from dlcheck.recipe import dump_recipe, load_recipe
from dlcheck.recipe.code import is_factory
from dlcheck.report.html.run import to_html
from dlcheck.report.json import to_json
from dlcheck.report.report import Report
from dlcheck.runs import RunFolder, write_atomic
from dlcheck.runs.folder import refuse_existing_run


def check(
    subject: str,
    *,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    device: str = "auto",
    settings: Settings | None = None,
    run_path: Path | None = None,
    limit_s: float = LIMIT_S,
    listener: Listener | None = None,
) -> Report:
    """Examine a recipe, or what a factory ``package.module:function`` returns, before training.

    Args:
        subject: A recipe's path or name, or a factory.
        overrides: ``KEY=VALUE`` over the recipe.
        seed: Of all that is drawn; None: the recipe's, or 0.
        device: ``auto``, ``cpu`` or ``cuda[:N]``.
        settings: Which rules judge, by which thresholds.
        run_path: A run folder to leave behind; None: nothing is written.
        limit_s: Seconds for the exams.
        listener: Told how far the examination is.

    Raises:
        DlcheckError: bad recipe, data or factory; or the run folder exists.
    """
    if run_path is not None:
        refuse_existing_run(run_path)
    project = project_settings(Path.cwd())
    for chosen in (settings or Settings(), project):
        refuse_unknown(chosen)
    with contextlib.redirect_stdout(sys.stderr):
        patient = _admit(subject, overrides, seed, device)
    folder = None if run_path is None else RunFolder.create(run_path)
    if folder is not None and patient.recipe is not None:
        write_atomic(folder.recipe, dump_recipe(patient.recipe, f"{patient.name}, resolved"))
    record = Record(folder)
    report = examine(
        patient,
        record=record,
        settings=settings,
        project=project,
        limit_s=limit_s,
        listener=listener,
    )
    if patient.recipe is not None:
        report = replace(report, then=" ".join(["dlcheck train", shlex.quote(subject), *_given(overrides)]))
    if folder is None:
        return report
    record.flush()
    report = replace(report, path=str(folder.path))
    write_atomic(folder.findings, to_json([report]))
    write_atomic(folder.report, to_html([report]))
    return report


def _given(overrides: Sequence[str]) -> list[str]:
    return [f"--set {shlex.quote(word)}" for word in overrides]


def _admit(subject: str, overrides: Sequence[str], seed: int | None, device: str) -> Patient:
    if not is_factory(subject):
        changed = [*overrides, *([] if seed is None else [f"train.seed={seed}"])]
        return admit_recipe(load_recipe(subject, changed), device)
    if overrides:
        raise DlcheckError(f"--set changes keys of a recipe; {subject} is a factory")
    return admit_factory(subject, folder=Path.cwd(), seed=seed or 0, device=device)
