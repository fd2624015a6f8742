"""A study as plain rows: what ran, how each trial ended and why. Imports no torch, and Optuna only to read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import optuna

PREFIX = "dlcheck."
"""Of every user attribute of ours, on studies and on trials."""
END, START, RESULT = f"{PREFIX}end", f"{PREFIX}start", f"{PREFIX}result"
BASELINE, AGAIN = f"{PREFIX}baseline", f"{PREFIX}again"
"""Of a queued trial: it is the recipe as it is, or it takes the place of the trial of this number."""


class Ending(StrEnum):
    """Why a trial ended; the trial's user attribute ``dlcheck.end``."""

    ok = "ok"
    """Trained to its end."""
    pruned = "pruned"
    """Worse than its peers at a rung."""
    nan = "nan"
    """A loss that is not a number, or infinite."""
    diverged = "diverged"
    """Finite, but far above where it had begun."""
    no_fit = "no_fit"
    """No better than the best constant answer after a fair time."""
    dead = "dead"
    """A network through which no gradient passes any more."""
    memory = "oom"
    """More memory than there is."""
    limit = "limit"
    """Finished, but over a limit of ``[tune.limits]``."""
    error = "error"
    """An exception in the recipe's own code, or a recipe that cannot be built."""
    lost = "lost"
    """Its process was killed, or its host went away."""
    stopped = "stopped"
    """Interrupted, and queued again."""


UNTOLD = {"COMPLETE": Ending.ok, "PRUNED": Ending.pruned, "FAIL": Ending.lost}
"""Endings of trials that left none behind: a killed process cannot, and another program's trials do not."""


@dataclass(frozen=True, slots=True)
class SpaceEntry:
    """One dimension of a search, by its qualified name as ``optimizer.momentum@sgd``."""

    path: str
    """Key of the recipe."""
    kind: str
    """``log``, ``float``, ``int``, ``pow2``, ``choice``, ``near_one`` or ``times``."""
    low: float | None = None
    high: float | None = None
    """In the recipe's own unit (of ``times``: the factor); None for choices."""
    choices: tuple[object, ...] = ()
    log: bool = False
    or_zero: bool = False
    """Zero is tried too."""
    when: tuple[tuple[str, tuple[object, ...]], ...] = ()
    """Paths and the values of theirs under which this entry is searched; all must hold."""
    base: float | None = None
    """Of ``times``: the recipe's value, which the factor multiplies."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial."""

    number: int
    state: str
    """Optuna's: COMPLETE, PRUNED, FAIL, RUNNING, WAITING."""
    ending: Ending | None
    """None while it runs or waits."""
    reason: str = ""
    """One line, as ``loss nan at step 37 in layer 2 (Linear)``."""
    value: float | None = None
    """What the training really reached in its last epoch; None when it reached nothing finite."""
    best: float | None = None
    """Best over its epochs."""
    told: float | None = None
    """What the sampler was told, which for a trial that died is a penalty and no result."""
    params: dict[str, object] = field(default_factory=dict)
    """What was set in the recipe, by path; empty for the recipe as it is."""
    raw: dict[str, object] = field(default_factory=dict)
    """Optuna's own parameters, by the names and in the units of its distributions."""
    curve: tuple[tuple[int, float], ...] = ()
    """Epoch (from 1) and the study's metric."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Every number of the last epoch, and ``seconds``, ``parameters``, ``memory_mib``, ``step_ms``."""
    epochs: int = 0
    seconds: float = 0.0
    seed: int = 0
    worker: int | None = None
    started: float | None = None
    """Wall time, seconds since 1970."""
    baseline: bool = False
    """Trial 0: the recipe as it is."""
    values: tuple[float, ...] = ()
    """Of several objectives."""
    constraints: dict[str, float] = field(default_factory=dict)
    """How far above each limit (0 or less: within)."""
    folder: str = ""
    """Where its logs lie, relative to the study's folder, as long as they are kept."""
    requeued: bool = False
    """Another trial took its place: it counts for nothing."""
    error_type: str = ""
    """Class of the exception that ended it."""
    diagnosis: str = ""
    """The ending's reason with what the monitor and the rules know of it."""

    @property
    def usable(self) -> bool:
        """Whether its value is a result that may be ranked: finished, and within every limit."""
        return self.ending is Ending.ok and self.value is not None

    @property
    def counts(self) -> bool:
        """Whether it is one of the trials that were asked for: no other took its place, and none was stopped."""
        return not self.requeued and self.ending is not Ending.stopped and self.state != "WAITING"


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study at one moment."""

    name: str
    metric: str
    minimize: bool
    trials: tuple[TrialRow, ...]
    space: dict[str, SpaceEntry]
    total: int | None = None
    budget_epochs: int | None = None
    sampler: str = ""
    pruner: str = ""
    why: str = ""
    """Why this sampler and this pruner, in words."""
    recipe: str = ""
    """TOML text of the recipe that is tuned, paths resolved."""
    url: str = ""
    """Of the storage, for those who need Optuna's own study; may hold a password, so it is never printed."""
    metrics: tuple[str, ...] = ()
    """All objectives; the first is ``metric``."""
    directions: tuple[bool, ...] = ()
    """Whether each objective is to be made small."""
    epochs: int = 0
    """Epochs of a whole trial."""
    subset: float | None = None
    """Share of the training samples that trials see; None: all."""
    seed: int = 0
    workers: int = 1
    """Of the command that ran last."""
    deadline: float | None = None
    """Wall time, in seconds since 1970, after which the command that ran last begins no trial."""
    confirm_top: int = 3
    confirm_seeds: int = 3
    """How the best trials are to be trained again."""


def read_study(path_or_url: str | Path, name: str | None = None) -> StudyView:
    """Read a study from its folder, from its database file or from a storage's URL.

    Raises:
        DlcheckError: nothing there, no study, or several and no ``name``.
    """
    from dlcheck.tuning.storage import open_study

    study, url = open_study(path_or_url, name)
    return view(study, url)


def view(study: optuna.Study, url: str = "") -> StudyView:
    """Return what a study holds now."""
    attributes = _ours(study.user_attrs)
    trials = study.get_trials(deepcopy=False)
    again = replaced(trials)
    directions = tuple(direction.name == "MINIMIZE" for direction in study.directions)
    metrics = tuple(attributes.get("metrics", ())) or (str(attributes.get("metric", "value")),)
    return StudyView(
        name=study.study_name,
        metric=metrics[0],
        minimize=directions[0],
        trials=tuple(_row(trial, again) for trial in trials),
        space=decode_space(attributes.get("space", "{}")),
        total=attributes.get("total"),
        budget_epochs=attributes.get("budget_epochs"),
        sampler=str(attributes.get("sampler", "")),
        pruner=str(attributes.get("pruner", "")),
        why=str(attributes.get("why", "")),
        recipe=str(attributes.get("recipe", "")),
        url=url,
        metrics=metrics,
        directions=directions,
        epochs=int(attributes.get("epochs", 0)),
        subset=attributes.get("subset"),
        seed=int(attributes.get("seed", 0)),
        workers=int(attributes.get("workers", 1)),
        deadline=attributes.get("deadline"),
        confirm_top=int(attributes.get("confirm_top", 3)),
        confirm_seeds=int(attributes.get("confirm_seeds", 3)),
    )


def encode_space(space: Mapping[str, SpaceEntry]) -> str:
    """Return a space as JSON text."""
    from dataclasses import asdict

    return json.dumps({name: asdict(entry) for name, entry in space.items()})


def decode_space(text: str) -> dict[str, SpaceEntry]:
    """Return the space that ``encode_space`` wrote."""
    return {name: _entry(fields) for name, fields in json.loads(text).items()}


def _entry(fields: dict[str, Any]) -> SpaceEntry:
    when = tuple((path, tuple(values)) for path, values in fields.pop("when"))
    return SpaceEntry(**{**fields, "choices": tuple(fields["choices"])}, when=when)


def _ours(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key.removeprefix(PREFIX): value for key, value in attributes.items() if key.startswith(PREFIX)}


def _row(trial: optuna.trial.FrozenTrial, again: set[int]) -> TrialRow:
    ours = _fields(trial.user_attrs)
    told = tuple(trial.values or ())
    metrics = dict(ours.get("metrics", {}))
    # Optuna subtracts two readings of the wall clock, which may have been set meanwhile; our own measure comes first.
    seconds = metrics.get("seconds", trial.duration.total_seconds() if trial.duration else 0.0)
    started = trial.datetime_start.timestamp() if trial.datetime_start else None
    finished = trial.state.is_finished()
    return TrialRow(
        number=trial.number,
        state=trial.state.name,
        ending=Ending(ours.get("end", UNTOLD[trial.state.name])) if finished else None,
        reason=str(ours.get("reason", "")),
        value=ours.get("value"),
        best=ours.get("best"),
        told=told[0] if told else None,
        params=dict(ours.get("params", {})),
        raw=dict(trial.params),
        curve=_curve(ours.get("curve")) or tuple(sorted(trial.intermediate_values.items())),
        metrics=metrics,
        epochs=int(ours.get("epochs", len(trial.intermediate_values))),
        seconds=max(float(seconds), 0.0),
        seed=int(ours.get("seed", 0)),
        worker=ours.get("worker"),
        started=started,
        baseline=bool(ours.get("baseline", False)),
        values=tuple(ours.get("values", ())),
        constraints={name: float(value) for name, value in trial.constraints.items()},
        folder=str(ours.get("folder", "")),
        requeued=trial.number in again,
        error_type=str(ours.get("error_type", "")),
        diagnosis=str(ours.get("diagnosis", "")),
    )


def _fields(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return our attributes of a trial: what was known at its start and its result are one write each."""
    ours = _ours(attributes)
    return {**ours.pop("start", {}), **ours.pop("result", {}), **ours}


def replaced(trials: Iterable[optuna.trial.FrozenTrial]) -> set[int]:
    """Return the numbers of trials that were queued again, by Optuna's heartbeat or by us."""
    numbers: set[int] = set()
    for trial in trials:
        numbers.update(trial.system_attrs.get("retry_history", ()))
        if AGAIN in trial.user_attrs:
            numbers.add(int(trial.user_attrs[AGAIN]))
    return numbers


def _curve(points: object) -> tuple[tuple[int, float], ...]:
    if not isinstance(points, list):
        return ()
    return tuple((int(epoch), float(value)) for epoch, value in points)
