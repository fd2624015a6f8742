"""``dlcheck treat -- train.py``: watch it, prescribe, and where the fault is exact mend a copy and run that."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dlcheck.diagnosis.settings import Settings, refuse_unknown
from dlcheck.errors import DlcheckError
from dlcheck.report.html.script import script_html
from dlcheck.report.report import Report
from dlcheck.report.treated_script import Compared, ScriptTreated
from dlcheck.report.treated_script_json import script_json
from dlcheck.runs.atomic import refused, write_atomic
from dlcheck.runs.folder import default_run_path, refuse_existing_run
from dlcheck.runs.run import Numbers
from dlcheck.runs.signals import main_metric, signal_curve
from dlcheck.treatment.judge import judged
from dlcheck.treatment.script.copies import Program, mended
from dlcheck.treatment.script.suggest import Suggestion, suggestions
from dlcheck.watching.target import find_program

LOSSES = ("train_loss", "val_loss")
SCALES = {"M206": "before, the loss was taken of probabilities: the two losses are not of one scale"}
Listener = Callable[[str], None]


def treat_script(
    script: str,
    arguments: Sequence[str] = (),
    *,
    module: bool = False,
    apply: bool = False,
    folder: Path | None = None,
    settings: Settings | None = None,
    listener: Listener | None = None,
) -> ScriptTreated:
    """Run a script under the monitors, say what to do about what is found, and mend a copy where that is exact.

    The script's output stays its own. The original is never edited.

    Args:
        script: Its path, or with ``module`` the name of a module.
        arguments: The script's own.
        module: As for ``python -m``.
        apply: Mend a copy where the fault is one of usage and its place certain, and run that too.
        folder: To make; None: ``dlcheck-runs/NAME-treat-TIME``.
        settings: Which rules judge.
        listener: Told in words what is under way.

    Raises:
        DlcheckError: no such script, one that is no Python, or the folder exists.
    """
    chosen, tell = settings or Settings(), listener or _silent
    refuse_unknown(chosen)
    target = find_program(script, arguments, module=module)
    program, name = Program.of(target, script if module else None), target.name
    place = folder or default_run_path(f"{name}-treat")
    refuse_existing_run(place)
    tell(f"running {script} as it is")
    words = ["-m", script, *arguments] if module else [script, *arguments]
    status = _watched(words, place / "before")
    before = _judged(place / "before", name, chosen)
    made = suggestions(before, program.file, program.owns, arguments)
    done = ScriptTreated(name, place, before, tuple(one.prescription for one in made), status=status)
    if apply:
        done = _applied(done, made, program, arguments, settings=chosen, tell=tell)
    write_atomic(place / "treatment.json", script_json(done))
    write_atomic(place / "report.html", script_html(done))
    return done


def _watched(words: Sequence[str], run: Path, *, paths: Sequence[Path] = (), safe: bool = False) -> int:
    """Run a script under ``dlcheck watch`` in a process of its own, and return its exit status."""
    run.parent.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    if paths:
        known = [*map(str, paths), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(one).absolute()) for one in known)
    if safe:
        environment["PYTHONSAFEPATH"] = "1"
    module = words[0] == "-m"
    own = ["--module"] if module else []
    command = [sys.executable, "-m", "dlcheck", "watch", "--quiet", "--fail-on", "never", "--run-dir", str(run)]
    command += ["--output", str(run.parent / f"{run.name}.txt"), *own, *(words[1:] if module else words)]
    try:
        return subprocess.run(command, env=environment, check=False).returncode
    except OSError as error:
        raise refused(run, error) from None


def _judged(run: Path, name: str, settings: Settings) -> Report:
    if not (run / "environment.json").is_file():
        raise DlcheckError(f"{name}: ended before anything could be watched")
    return judged(run, None, name, settings)


def _applied(
    done: ScriptTreated,
    made: Sequence[Suggestion],
    program: Program,
    arguments: Sequence[str],
    *,
    settings: Settings,
    tell: Listener,
) -> ScriptTreated:
    exact = [one for one in made if one.prescription.exact]
    if not exact:
        return replace(done, notes=(*done.notes, "nothing to apply: no fault here is one whose edit is certain"))
    copies, taken = mended(exact, program, done.folder / "mended")
    if not copies:
        return replace(done, notes=(*done.notes, "nothing was applied: the edits do not fit together"))
    tell("running the mended copy")
    status = _copy_watched(program, arguments, done.folder)
    applied = tuple(replace(one.prescription, applied=one in taken) for one in made)
    done = replace(done, prescriptions=applied, copies=tuple(copies))
    if status != 0 and done.status == 0:
        note = f"the mended copy ended with status {status}; it is told above"
        return replace(done, status=status, notes=(*done.notes, note))
    after = _judged(done.folder / "after", done.name, settings)
    codes = {one.prescription.finding.code for one in taken}
    return replace(done, after=after, compared=tuple(_compared(done.before, after, codes)))


def _copy_watched(program: Program, arguments: Sequence[str], folder: Path) -> int:
    """Run the mended copy where the original ran; what was not copied is found where it is."""
    copies = folder / "mended"
    if program.module is None:
        words = [str(copies / program.file.name), *arguments]
        return _watched(words, folder / "after", paths=[program.home])
    # Python would look into the current folder first, and find the original there.
    words = ["-m", program.module, *arguments]
    return _watched(words, folder / "after", paths=[copies, Path.cwd()], safe=True)


def _compared(before: Report, after: Report, codes: set[str]) -> list[Compared]:
    """Return losses, and the first metric beside them, as both runs ended."""
    note = next((SCALES[code] for code in codes if code in SCALES), "")
    found: list[Compared] = []
    for name in LOSSES:
        old, new = (_last(signal_curve(one.run, name).values) for one in (before, after))
        found.append(Compared(name, old, new, note))
    metric = main_metric(before.run)
    for split in ("train", "val") if metric is not None else ():
        old, new = (_last(one.run.curve(str(metric), split).values) for one in (before, after))
        found.append(Compared(f"{split}_{metric}", old, new))
    return [one for one in found if one.before is not None or one.after is not None]


def _last(values: Numbers) -> float | None:
    """Return the mean of the last tenth."""
    finite = values[np.isfinite(values)]
    return float(finite[-max(1, len(finite) // 10) :].mean()) if len(finite) else None


def _silent(words: str) -> None:
    del words
