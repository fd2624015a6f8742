"""What a sweep and trials of the computation recommend: as keys of a recipe, and in its file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.profiling.settings import Subject
from dlcheck.profiling.whatif import sound
from dlcheck.recipe.write import Value, readable_text, with_values, writable, write_values
from dlcheck.rules.speed.settings import recommended, setting_patch
from dlcheck.runs.facts import ComputeTrial, ComputeTrials, LoaderSetting, LoaderSweep

PROBE: Mapping[str, Value] = {"data.workers": 1, "train.threads": 1}
"""Keys of the sections that are written, to see whether a recipe's layout can be kept."""


def patches(sweep: LoaderSweep | None, trials: ComputeTrials | None) -> dict[str, Value]:
    """Return the keys of a recipe that make it faster, with their values; empty when nothing is faster for sure.

    Of the computation only what was faster at the same loss: several such changes if they were measured together,
    else the best one. A larger batch is never among them, as it trains otherwise; more threads only without workers
    to compete with.
    """
    found: dict[str, Value] = {}
    best = recommended(sweep)
    if sweep is not None and best is not None:
        keys = setting_patch(best.setting, sweep.current)
        found |= {path: value for path, value in keys.items() if isinstance(value, str | int | float | bool)}
        found.pop("train.batch_size", None)
        if best.setting.augment_on_device:
            found["augment.where"] = "batch"
    setting = best.setting if best is not None else sweep.current if sweep is not None else LoaderSetting()
    workers = setting.workers if setting.workers is not None or sweep is None else sweep.current.workers
    return found | _computation(trials, workers=0 if setting.in_memory else workers)


def refuse_unwritable(subject: Subject) -> None:
    """Refuse ``--write`` before any work is done, where it could not be kept.

    Raises:
        DlcheckError: no recipe, or none whose file may be changed; one line.
    """
    _target(subject)


def write(subject: Subject, values: Mapping[str, Value], *, expected: str | None = None) -> Path:
    """Put values into a recipe's file, comments and layout kept, and return the file.

    Args:
        subject: A recipe.
        values: As ``patches`` returns them; not empty.
        expected: What the file held when the profile began; None: whatever it holds now.

    Raises:
        DlcheckError: the file cannot be written, or has changed meanwhile; it is then as it was.
    """
    path, text = _target(subject)
    write_values(path, values, expected=text if expected is None else expected)
    return path


def _target(subject: Subject) -> tuple[Path, str]:
    if subject.kind != "recipe":
        raise DlcheckError(f"--write: {subject.name} is no recipe; the report says what to change in its loader")
    if subject.overrides:
        raise DlcheckError("--write puts settings into the recipe as its file has it: it takes no --set")
    path = writable(subject.name)
    text = readable_text(path)
    with_values(text, PROBE)
    return path, text


def _computation(trials: ComputeTrials | None, *, workers: int | None) -> dict[str, Value]:
    """Return the keys of the fastest computation."""
    if trials is None:
        return {}
    winners = [trial for trial in trials.trials if _writable(trial, workers=workers)]
    if not winners:
        return {}
    best = max(winners, key=lambda trial: trial.ratio or 0.0)
    all_of_them = next((trial for trial in trials.trials if _holds(trial, winners, better_than=best)), None)
    chosen = winners if all_of_them is not None else [best]
    return {trial.path: trial.value for trial in chosen if trial.value is not None}


def _writable(trial: ComputeTrial, *, workers: int | None) -> bool:
    if not sound(trial) or not trial.path.startswith("train.") or trial.path == "train.batch_size":
        return False
    more_threads = trial.path == "train.threads" and isinstance(trial.value, int) and trial.value > 1
    return not (more_threads and workers != 0)


def _holds(trial: ComputeTrial, winners: list[ComputeTrial], *, better_than: ComputeTrial) -> bool:
    """Return whether a trial is that of exactly these together, and they did not get into each other's way."""
    names = sorted(winner.name for winner in winners)
    together = trial.path == "" and sorted(trial.name.split(" + ")) == names and len(names) > 1
    fast = trial.low is not None and trial.low > 1 and (trial.ratio or 0.0) >= (better_than.ratio or 0.0)
    return together and fast and trial.same_loss is True
