"""A trial: values from the sampler, the patched recipe trained, the ending stored, the sampler told."""

from __future__ import annotations

import errno
import math
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import optuna

from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe.patch import patched
from dlcheck.rules.site import finite
from dlcheck.tuning.once import Stop, Trained, train_once
from dlcheck.tuning.sampling import MOST_REPORTS
from dlcheck.tuning.space import suggest
from dlcheck.tuning.told import clipped, values_to_tell
from dlcheck.tuning.trials import AGAIN, BASELINE, END, RESULT, START, Ending

if TYPE_CHECKING:
    from pathlib import Path

    from dlcheck.tuning.plan import Plan

KEPT = 5
"""Best trials whose logs are kept, beside all that died."""
TRACEBACK = "traceback.txt"
SOUND = (Ending.ok, Ending.pruned)


class TrialFailed(Exception):
    """A trial that raised; all that is to be said of it is stored."""


class StudyFailed(DlcheckError):
    """Nothing can be stored any more: the study must stop as it is."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt at a trial went: trained, or an exception of the recipe's or of its code's."""

    trained: Trained | None = None
    reason: str = ""
    error_type: str = ""


def attempt(plan: Plan, number: int, params: dict[str, object], stop: Stop) -> Outcome:
    """Train the recipe with other values, for trial ``number``.

    Raises:
        StudyFailed: the disk is full.
    """
    path = trial_folder(plan, number)
    try:
        recipe = patched(plan.recipe, params)
        trained = train_once(recipe, code=plan.code, path=path, device=plan.device, limits=plan.limits, stop=stop)
    except optuna.exceptions.UpdateFinishedTrialError:
        raise
    except Exception as error:
        if disk_is_full(error):
            raise full(plan.folder) from None
        _keep_traceback(error, path)
        told = one_line(error)
        reason = told if isinstance(error, DlcheckError) else f"{type(error).__name__}: {told}"
        return Outcome(reason=reason, error_type=type(error).__name__)
    return Outcome(trained)


def trial_folder(plan: Plan, number: int) -> Path:
    """Return where a trial's logs lie."""
    return plan.folder / "trials" / f"{number:04d}"


def judge(plan: Plan, trial: optuna.Trial, trained: Trained) -> Ending | None:
    """Report an epoch to a trial, and say whether it shall end after it."""
    epoch, metric = len(trained.rows), plan.metric
    value = finite(trained.rows[-1].get(metric))
    if value is None or len(plan.metrics) > 1 or epoch % math.ceil(plan.epochs / MOST_REPORTS):
        return None
    trial.report(clipped(value, metric, trained.trivial), epoch)
    return Ending.pruned if plan.pruner != "none" and trial.should_prune() else None


class Objective:
    """Trains one trial after the other for a study of Optuna's."""

    def __init__(self, plan: Plan, *, worker: int = 0, begun: Callable[[], None] = lambda: None) -> None:
        self.plan, self.worker, self.begun = plan, worker, begun
        """``begun`` is called as soon as a trial's values are known to the study."""

    def __call__(self, trial: optuna.Trial) -> float | tuple[float, ...]:
        """Run a trial, and return what its sampler is told.

        Raises:
            TrialPruned: it was stopped early, or learned nothing.
            TrialFailed: the recipe could not be built, or its code raised.
            StudyFailed: the disk is full.
            KeyboardInterrupt: interrupted; the trial is queued again.
        """
        try:
            params = self.begin(trial)
            outcome = attempt(self.plan, trial.number, params, lambda trained: judge(self.plan, trial, trained))
        except KeyboardInterrupt:
            self.again(trial, "interrupted; queued again")
            raise
        except StudyFailed:
            with suppress(Exception):  # the database may lie on the same disk: then the next command finds it
                self.again(trial, "the disk was full; queued again")
            raise
        except optuna.exceptions.UpdateFinishedTrialError as error:
            raise TrialFailed("taken for dead while it ran") from error
        return self.conclude(trial, outcome)

    def begin(self, trial: optuna.Trial) -> dict[str, object]:
        """Draw a trial's values, store what is known at its start, and return what to change in the recipe."""
        baseline = bool(trial.user_attrs.get(BASELINE))
        values = suggest(trial, self.plan.space, self.plan.recipe)
        # The recipe as it is may lie outside of the space: what the study holds for it is the nearest point inside.
        params = {} if baseline else values
        start = {
            "params": params,
            "worker": self.worker,
            "seed": self.plan.recipe.train.seed,
            "baseline": baseline,
            "folder": f"trials/{trial.number:04d}",
            "place": self.plan.place,
            "token": self.plan.token,
        }
        trial.set_user_attr(START, start)
        self.begun()
        return params

    def conclude(self, trial: optuna.Trial, outcome: Outcome) -> float | tuple[float, ...]:
        """Store how a trial ended, and return what its sampler is told.

        Raises:
            TrialPruned: that it was stopped early.
            TrialFailed: nothing.
        """
        if outcome.trained is None:
            trial.set_user_attr(RESULT, {"reason": outcome.reason, "error_type": outcome.error_type})
            trial.set_user_attr(END, Ending.error.value)
            raise TrialFailed(outcome.reason)
        return self._tell(trial, outcome.trained, trial_folder(self.plan, trial.number))

    def _tell(self, trial: optuna.Trial, trained: Trained, path: Path) -> float | tuple[float, ...]:
        for name, excess in trained.broken.items():
            trial.set_constraint(name, excess)
        if trained.ending is Ending.memory:
            trial.set_constraint("memory", 1.0)
        before = [told for _, told in self._told(trial.study)]
        values = values_to_tell(self.plan, trained, before)
        trial.set_user_attr(RESULT, self._result(trained))
        trial.set_user_attr(END, trained.ending.value)
        if trained.ending in SOUND:
            self._tidy(trial, values, path)
        if values is None:
            raise optuna.TrialPruned(trained.reason)
        return values if len(values) > 1 else values[0]

    def _result(self, trained: Trained) -> dict[str, object]:
        curve = list(_points(trained.rows, self.plan.metric))
        values = [value for _, value in curve]
        best = (min if self.plan.minimize[0] else max)(values) if values else None
        measured = {**trained.result, **trained.costs}
        own = [finite(measured.get(metric)) for metric in self.plan.metrics]
        return {
            "reason": trained.reason,
            "diagnosis": trained.diagnosis,
            "value": own[0] if own[0] is not None or not values else values[-1],
            "best": best,
            "values": [value for value in own if value is not None] if len(own) > 1 else [],
            "curve": curve,
            "metrics": {name: value for name, value in measured.items() if math.isfinite(value)},
            "epochs": len(trained.rows),
        }

    def _told(self, study: optuna.Study) -> Iterator[tuple[int, list[float]]]:
        done = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
        for trial in study.get_trials(deepcopy=False, states=done):
            if trial.values is not None:
                yield trial.number, trial.values

    def _tidy(self, trial: optuna.Trial, values: tuple[float, ...] | None, path: Path) -> None:
        """Keep logs of the recipe itself, of the best trials so far, and of those that died."""
        shutil.rmtree(path / "checkpoints", ignore_errors=True)  # empty: trials write none
        if len(self.plan.metrics) > 1:
            return
        sign = 1 if self.plan.minimize[0] else -1
        ranked = [(sign * told[0], number) for number, told in self._told(trial.study) if number]
        ranked += [(sign * values[0], trial.number)] if values is not None and trial.number else []
        spare = [number for _, number in sorted(ranked)[KEPT:]] + ([trial.number] if values is None else [])
        died = {row.number for row in trial.study.get_trials(deepcopy=False) if row.user_attrs.get(END) not in SOUND}
        for number in spare:
            if number not in died:
                shutil.rmtree(path.with_name(f"{number:04d}"), ignore_errors=True)

    def again(self, trial: optuna.Trial, reason: str) -> None:
        """Store that a trial was stopped, and queue its values again."""
        trial.set_user_attr(RESULT, {"reason": reason})
        trial.set_user_attr(END, Ending.stopped.value)
        queue_again(trial.study, trial.number)


def _keep_traceback(error: Exception, path: Path) -> None:
    with suppress(OSError):
        path.mkdir(parents=True, exist_ok=True)
        (path / TRACEBACK).write_text("".join(traceback.format_exception(error)), encoding="utf-8")


def queue_again(study: optuna.Study, number: int) -> None:
    """Queue a trial's values once more, as a trial of its own."""
    old = study.get_trials(deepcopy=False)[number]
    params = {**old.system_attrs.get("fixed_params", {}), **old.params}
    baseline = {BASELINE: True} if old.user_attrs.get(BASELINE) else {}
    if params:
        study.enqueue_trial(params, user_attrs={**baseline, AGAIN: number})


def full(folder: Path) -> StudyFailed:
    """Return the one line for a study on a full disk."""
    return StudyFailed(f"{folder}: no space left on the device; free some, and the same command goes on")


def disk_is_full(error: BaseException | None) -> bool:
    """Return whether an exception, or one that led to it, says that nothing more can be written."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "disk is full" in str(error) or "no space left on the device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _points(rows: list[dict[str, float]], metric: str) -> Iterator[tuple[int, float]]:
    for row in rows:
        value = finite(row.get(metric))
        if value is not None:
            yield int(row["epoch"]), value
