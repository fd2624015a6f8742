"""A whole profile: the passes in their order, within a budget, from a subject to a judged report."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from dlcheck.diagnosis.examine import examine
from dlcheck.diagnosis.settings import Settings, project_settings, refuse_unknown
from dlcheck.monitor.record import Record
from dlcheck.profiling.found import Found
from dlcheck.profiling.passes import Listener, Passes
from dlcheck.profiling.rows import StepRow
from dlcheck.profiling.settings import Subject
from dlcheck.recipe import Recipe, dump_recipe, load_recipe
from dlcheck.recipe.resolve import resolve
from dlcheck.report.html.profile import profile_html
from dlcheck.report.profile_json import profile_json
from dlcheck.report.report import Report
from dlcheck.runs import RunFolder, write_atomic
from dlcheck.runs.facts import ComputeTrials, LoaderSweep, fact
from dlcheck.runs.folder import default_run_path, refuse_existing_run
from dlcheck.watching.target import find_program

BUDGET_S = 110.0
"""Seconds for all of it: under two minutes, with the start of the program."""


@dataclass(frozen=True, slots=True)
class Profiled:
    """What a profile found."""

    subject: Subject
    report: Report
    folder: Path
    rows: tuple[StepRow, ...]
    """The steps that were observed."""
    found: Found

    @property
    def settings(self) -> tuple[LoaderSweep | None, ComputeTrials | None]:
        """What the sweep of the loader and the trials of the computation told; None: not made."""
        run = self.report.run
        return fact(run, LoaderSweep), fact(run, ComputeTrials)


def profile(
    subject: Subject,
    settings: Settings | None = None,
    *,
    budget_s: float = BUDGET_S,
    sweeping: bool = True,
    run_path: Path | None = None,
    listener: Listener = lambda _: None,
) -> Profiled:
    """Find where a training's steps spend their time, what bounds it, and which settings are faster.

    The training runs for some steps in child processes, which are gone when this returns, whatever happens.

    Args:
        subject: What to profile.
        settings: Which rules judge, by which thresholds.
        budget_s: Seconds for all of it; a pass that does not fit is left out, and the report says so.
        sweeping: Whether to try other settings.
        run_path: The run folder to make; None: ``dlcheck-runs/NAME-profile-DATE-TIME``.
        listener: Told what is under way.

    Raises:
        DlcheckError: bad recipe, script or device, a training that fails in its first steps, or the run folder exists.
    """
    project = project_settings(Path.cwd())
    for chosen in (settings or Settings(), project):
        refuse_unknown(chosen)
    path = run_path or default_run_path(f"{_short(subject)}-profile")
    refuse_existing_run(path)
    recipe = _recipe(subject)
    deadline = time.monotonic() + budget_s
    with Passes(subject, deadline=deadline, budget_s=budget_s, listener=listener, recipe=recipe) as passes:
        passes.observe()
        passes.ceilings()
        if sweeping:
            passes.compute()
            passes.loader()
        passes.device()
    return _judged(passes, settings or Settings(), project, path)


def _recipe(subject: Subject) -> Recipe | None:
    """Return the recipe; what is wrong with it, or with a script, is told before a child is started for it."""
    if subject.kind == "script":
        find_program(subject.name, subject.arguments, module=False)
    if subject.kind != "recipe":
        return None
    return resolve(load_recipe(subject.name, subject.changes))


def _short(subject: Subject) -> str:
    return Path(subject.name.rpartition(":")[2] or subject.name).stem


def _judged(passes: Passes, settings: Settings, project: Settings, path: Path) -> Profiled:
    folder = RunFolder.create(path)
    record = Record(folder)
    record.meta |= {"format": "dlcheck-profile"}
    if passes.recipe is not None:
        record.meta["recipe"] = passes.recipe.model_dump(mode="json", exclude_unset=True)
        write_atomic(folder.recipe, dump_recipe(passes.recipe, f"{passes.subject.name}, as it was profiled"))
    for one in passes.facts:
        record.put(one)
    record.fact("notes", passes.notes)
    record.flush()
    report = replace(examine(record.run(), passes.subject.name, settings, project), path=str(path))
    write_atomic(folder.findings, profile_json(report))
    write_atomic(folder.report, profile_html(report))
    return Profiled(passes.subject, report, path, passes.rows, passes.found)
